/**
 * Scenarios: policies of a dialect, and who reaches whom under them, as tables. A scenario means the same to whoever asks:
 * the specifications read literally, compiled tables, and packets between pods of any cluster that has these people.
 */

/** A kind of traffic; all pods serve these ports, under names such as `serve-80-tcp`. */
export const TRAFFICS = ["80/TCP", "81/TCP", "80/UDP", "ICMP"] as const;
export type Traffic = (typeof TRAFFICS)[number];

/** Pods of a scenario: name → node, labels, service account. */
export const PEOPLE = {
  "shop/web": { node: "node-1", app: "web", account: "default" },
  "shop/db": { node: "node-2", app: "db", account: "default" },
  "bank/web": { node: "node-2", app: "web", account: "default" },
  "bank/vault": { node: "node-1", app: "vault", account: "default" },
  "ops/admin": { node: "node-1", app: "admin", account: "admin" },
} as const;
export type Person = keyof typeof PEOPLE;
export const PERSONS = Object.keys(PEOPLE) as readonly Person[];

/** Labels of the namespaces. */
export const TEAMS: Readonly<Record<string, string>> = { shop: "a", bank: "b", ops: "c" };

/** Who else takes part: both nodes, and a host that is no part of the cluster, which is never asked from. */
export const NODES = ["node-1", "node-2"] as const;
export const OUTSIDE = "outside";
/** The outside host's networks are a /24 and a /64 of these. */
export const OUTSIDE_NETS = ["198.51.100.0/24", "2001:db8:51::/64"] as const;

/** Both addresses of somebody, IPv4 first. */
export type AddressesOf = (name: string) => readonly [v4: string, v6: string];

/**
 * What is reachable: `from`, `to` and whether, of everything or of some traffic or family only. `*` is everybody, `pods`
 * and `nodes` are what they say, `shop/*` a namespace, `*\/web` a name in all of them. Later lines win over earlier ones.
 */
export type Line = readonly [
  from: string,
  to: string,
  isReachable: boolean,
  only?: { readonly on?: readonly Traffic[]; readonly family?: 4 | 6 },
];

/** One scenario. Everything that no line speaks of is reachable. */
export interface Scenario {
  readonly name: string;
  /** As an API takes them. */
  objects(addressesOf: AddressesOf): readonly object[];
  readonly lines: readonly Line[];
}

/** Scenarios of one dialect. */
export interface Dialect {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
}

function isPerson(name: string): boolean {
  return name.includes("/");
}

function matches(pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  if (pattern === "pods") return isPerson(name);
  if (pattern === "nodes") return (NODES as readonly string[]).includes(name);
  const [namespace, app] = pattern.split("/");
  const [of, called] = name.split("/");
  return isPerson(name) && (namespace === "*" || namespace === of) && (app === "*" || app === called);
}

/** One question: who to whom, with what, in which family. */
export interface Cell {
  readonly from: string;
  readonly to: string;
  readonly traffic: Traffic;
  readonly family: 4 | 6;
}

/** All cells: from pods to everybody else, and from nodes to pods. */
export function cells(): Cell[] {
  const ends = [...PERSONS, ...NODES, OUTSIDE];
  return ends.flatMap((from) =>
    ends
      .filter((to) => from !== to && from !== OUTSIDE && (isPerson(from) || isPerson(to)))
      .flatMap((to) =>
        TRAFFICS.flatMap((traffic) => ([4, 6] as const).map((family) => ({ from, to, traffic, family }))),
      ),
  );
}

/** What a scenario's lines say of a cell. */
export function expects(scenario: Scenario, cell: Cell): boolean {
  const line = scenario.lines.findLast(
    ([from, to, , only]) =>
      matches(from, cell.from) &&
      matches(to, cell.to) &&
      (only?.on === undefined || only.on.includes(cell.traffic)) &&
      (only?.family === undefined || only.family === cell.family),
  );
  return line?.[2] ?? true;
}

/** `shop/web → shop/db 80/TCP IPv4`. */
export function cellText({ from, to, traffic, family }: Cell): string {
  return `${from} → ${to} ${traffic} IPv${family}`;
}

/** Address of a family with the length of a single one. */
export function host(addressesOf: AddressesOf, name: string, family: 4 | 6): string {
  return family === 4 ? `${addressesOf(name)[0]}/32` : `${addressesOf(name)[1]}/128`;
}

/** Both of somebody's addresses as blocks. */
export function hosts(addressesOf: AddressesOf, name: string): string[] {
  return [host(addressesOf, name, 4), host(addressesOf, name, 6)];
}

/** Namespaces, service accounts aside, and pods without their addresses: what a cluster has to have. */
export function peopleObjects(): { readonly namespaces: readonly object[]; readonly pods: readonly object[] } {
  const ports = [80, 81].flatMap((port) =>
    ["TCP", "UDP"].map((protocol) => ({
      name: `serve-${port}-${protocol.toLowerCase()}`,
      containerPort: port,
      protocol,
    })),
  );
  return {
    namespaces: Object.entries(TEAMS).map(([name, team]) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { team, "kubernetes.io/metadata.name": name } },
    })),
    pods: Object.entries(PEOPLE).map(([key, { node, app, account }]) => {
      const [namespace, name] = key.split("/");
      return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace, name, labels: { app } },
        spec: { nodeName: node, serviceAccountName: account, containers: [{ name: "echo", ports }] },
      };
    }),
  };
}

/** A small fixed cluster in which tests ask what translated policies of a dialect mean, without compiling anything. */

import { createInterner, type Labels } from "../../model/intern.ts";
import type { Namespace } from "../../model/namespace.ts";
import type { Node } from "../../model/node.ts";
import type { Pod, PodPort } from "../../model/pod.ts";
import { type Addr, addr } from "../../net/addr.ts";
import { prefix } from "../../net/prefix.ts";
import { clusterFacts, type LabelViews, worldFacts } from "../facts.ts";
import { orderPolicies, policiesFor, type Step, walk, walkOf } from "../order.ts";
import { matchesPeer } from "../peer.ts";
import type { Direction, Policy, Tier } from "../rule.ts";
import { closedRule, trafficMatches } from "../traffic.ts";

const interner = createInterner();
const labels = (of: Readonly<Record<string, string>>): Labels => interner.labels(Object.entries(of));

function namespace(name: string, of: Readonly<Record<string, string>>): Namespace {
  return { name, labels: labels({ ...of, "kubernetes.io/metadata.name": name }) };
}

function pod(key: string, ips: readonly string[], of: Readonly<Record<string, string>>, ports: PodPort[] = []): Pod {
  const [ns = "", name = ""] = key.split("/");
  return {
    namespace: ns,
    name,
    uid: 0,
    nodeName: "n1",
    podIps: ips.map(addr),
    isHostNetwork: false,
    phase: "Running",
    labels: labels(of),
    serviceAccount: `${name}-account`,
    ports,
  };
}

function node(name: string, ip: string, of: Readonly<Record<string, string>>): Node {
  return {
    name,
    uid: name,
    podCidrs: [prefix(name === "n1" ? "10.244.1.0/24" : "10.244.2.0/24")],
    internalIps: [addr(ip)],
    reportedIps: [addr(ip)],
    externalIps: [],
    labels: labels(of),
    annotations: labels({}),
    taints: [],
    hasNetwork: true,
    poolCidrs: [],
  };
}

const HTTP: PodPort = { name: "http", port: 8080, protocol: "TCP" };

/** Namespaces `shop` (team a) and `bank` (team b), two nodes. */
export const WORLD = {
  namespaces: [namespace("shop", { team: "a" }), namespace("bank", { team: "b" })],
  nodes: [node("n1", "192.168.77.11", { zone: "one" }), node("n2", "192.168.77.12", { zone: "two" })],
  pods: [
    pod("shop/web", ["10.244.1.10", "fd00:10:244:1::10"], { app: "web" }, [HTTP]),
    pod("shop/db", ["10.244.1.11", "fd00:10:244:1::11"], { app: "db" }, [{ name: "http", port: 80, protocol: "TCP" }]),
    pod("bank/web", ["10.244.1.20", "fd00:10:244:1::20"], { app: "web" }),
  ],
} as const;

/** Short names of the addresses that tests speak of. */
export const AT: Readonly<Record<string, Addr>> = {
  web: addr("10.244.1.10"),
  web6: addr("fd00:10:244:1::10"),
  db: addr("10.244.1.11"),
  db6: addr("fd00:10:244:1::11"),
  bank: addr("10.244.1.20"),
  n1: addr("192.168.77.11"),
  n2: addr("192.168.77.12"),
  outside: addr("203.0.113.7"),
  outside6: addr("2001:db8::7"),
};

/** `tcp/80`, `udp/53`, `icmp/8`, `icmp/8.1`, `icmpv6/128`, `47`. */
export function trafficOf(text: string): { readonly protocol: number; readonly port: number } {
  const [name = "", rest = "0"] = text.split("/");
  const known: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 };
  const protocol = known[name] ?? Number(name);
  const [type = 0, code = 0] = rest.split(".").map(Number);
  return { protocol, port: protocol === 1 || protocol === 58 ? type * 256 + code : type };
}

/** What came of a question. */
export interface Answer {
  readonly isAllowed: boolean;
  /** Name of the policy and path of the rule that decided; `end of TIER`; `""` for nothing. */
  readonly by: string;
  /** Path of the first `log` rule that matched. */
  readonly logged: string;
}

/** A name of {@link AT}, or an address. */
export function at(name: string): Addr {
  return AT[name] ?? addr(name);
}

/** Judges one end of a flow: `of` at `direction`, the other side being `peer`. */
export function ask(
  policies: Iterable<Policy>,
  question: { of: string; direction: Direction; peer: string; traffic: string; withStaged?: boolean },
  views: LabelViews,
  tiers: readonly Tier[] = [],
): Answer {
  const namespaces = new Map(WORLD.namespaces.map((n): [string, Namespace] => [n.name, n]));
  const facts = clusterFacts({ localNode: "n1", nodes: WORLD.nodes, namespaces, pods: WORLD.pods }, views);
  const factsAt = (name: string) => facts.get(at(name).text) ?? worldFacts(at(name));
  const [self, peer] = [factsAt(question.of), factsAt(question.peer)];
  const to = question.direction === "ingress" ? self : peer;
  const steps = walkOf(
    policiesFor(orderPolicies(policies, tiers), self.entities.has("pod") ? "pods" : "nodes", self, question.direction),
    question.direction,
  );
  const point = { family: self.addr.family, ...trafficOf(question.traffic) };
  const closed = steps.map((s): Step => (s.kind === "end" ? s : { ...s, rule: { ...s.rule, ...closedRule(s.rule) } }));
  const { isAllowed, by, logged } = walk(
    closed,
    ({ rule }) => matchesPeer(rule.peer, peer) && rule.traffic.some((t) => trafficMatches(t, point, to.namedPorts)),
    question.withStaged,
  );
  const text = (s: Step | undefined) =>
    s === undefined ? "" : s.kind === "end" ? `end of ${s.of.name}` : `${s.policy.ref.name} ${s.rule.path}`;
  return { isAllowed, by: text(by), logged: text(logged) };
}

/** Of each question what decided, with `+` for allowed and `-` for denied. */
export function outcomes(answer: (line: string) => Answer, lines: Iterable<string>): Record<string, string> {
  const of = (line: string): [string, string] => {
    const { isAllowed, by } = answer(line);
    return [line, `${isAllowed ? "+" : "-"} ${by}`.trim()];
  };
  return Object.fromEntries(Array.from(lines, of));
}

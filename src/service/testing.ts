/** Services and slices for tests, written short, and the kernel's maps as a model that tells when a reader would find a hole. */

import { parseEndpointSlice } from "../model/endpoint-slice.ts";
import { createInterner } from "../model/intern.ts";
import { parseService } from "../model/service.ts";
import { frontendName } from "./frontends.ts";
import { type FrontendRow, isSameServiceRow, type ServiceRow, type ServiceWrites } from "./rows.ts";
import { planService, type ServiceContext, type ServicePlan } from "./service-plan.ts";
import type { ServiceTables } from "./tables.ts";

const interner = createInterner();

function must<T>(r: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }): T {
  if (!r.ok) throw new Error(JSON.stringify(r.error));
  return r.value;
}

/** A service of one TCP port 80, unless the specification says otherwise. */
export function service(name: string, spec: object = {}, metadata: object = {}, status: object = {}) {
  const object = {
    metadata: { namespace: "shop", name, ...metadata },
    spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }], ...spec },
    status,
  };
  return must(parseService(object, interner));
}

/** An endpoint as `address`, then words: `unready`, `ending`, `gone`, `node=…`, `zone=…`, `for=zone,…`, `fornode=…`. */
function endpoint(text: string): object {
  const [address, ...words] = text.split(" ");
  const value = (key: string) => words.find((w) => w.startsWith(`${key}=`))?.slice(key.length + 1);
  const list = (key: string) =>
    value(key)
      ?.split(",")
      .map((name) => ({ name }));
  const has = (w: string) => words.includes(w);
  const conditions = has("ending")
    ? { ready: false, serving: true, terminating: true }
    : has("gone")
      ? { ready: false, serving: false, terminating: true }
      : { ready: !has("unready") };
  const hints = { forZones: list("for"), forNodes: list("fornode") };
  return { addresses: [address], conditions, nodeName: value("node"), zone: value("zone"), hints };
}

/** A slice of a service. @param ports of its endpoints; without: TCP 8080 */
export function slice(service: string, endpoints: readonly string[], ports: readonly object[] = [{ port: 8080 }]) {
  const object = {
    metadata: { namespace: "shop", name: `${service}-1`, labels: { "kubernetes.io/service-name": service } },
    endpoints: endpoints.map(endpoint),
    ports,
  };
  return must(parseEndpointSlice(object, interner));
}

/** A node `here` in zone `a`. */
export const CONTEXT: ServiceContext = {
  place: { node: "here", zone: "a" },
  nodePortAddrs: undefined,
  algorithm: "random",
  maglevSize: 251,
  forwarding: "snat",
};

/** A plan of {@link service} and its endpoints on node `here`. */
export function plan(
  spec: object,
  endpoints: readonly string[],
  more: {
    readonly metadata?: object;
    readonly status?: object;
    readonly context?: Partial<ServiceContext>;
    readonly name?: string;
  } = {},
): ServicePlan {
  const name = more.name ?? "web";
  return planService(service(name, spec, more.metadata, more.status), [slice(name, endpoints)], {
    ...CONTEXT,
    ...more.context,
  });
}

/** The maps of a node, written as a kernel's. */
export class ModelMaps {
  readonly services = new Map<string, ServiceRow>();
  readonly slots = new Map<string, number>();
  readonly backends = new Map<number, string>();
  readonly sources = new Set<string>();

  /** @throws Error when a reader would find a hole between two writes: see the order of {@link ServiceWrites} */
  write(w: ServiceWrites): void {
    const step = (...changes: (() => void)[]) => {
      for (const change of changes) {
        change();
        this.#check();
      }
    };
    const name = (f: FrontendRow["frontend"]) => frontendName(f);
    step(
      ...w.backends.map((b) => () => void this.backends.set(b.number, `${b.addr.text} ${b.port} ${b.protocol}`)),
      ...w.slots.map((s) => () => void this.slots.set(`${s.set} ${s.index}`, s.backend)),
      ...w.sources.map((s) => () => void this.sources.add(`${s.service} ${s.prefix.text}`)),
      ...w.services.map(
        ({ frontend, row }) =>
          () =>
            void this.services.set(name(frontend), row),
      ),
      ...w.goneServices.map((f) => () => void this.services.delete(name(f))),
      ...w.goneSources.map((s) => () => void this.sources.delete(`${s.service} ${s.prefix.text}`)),
      ...w.goneSlots.map((s) => () => void this.slots.delete(`${s.set} ${s.index}`)),
      ...w.goneBackends.map((n) => () => void this.backends.delete(n)),
    );
  }

  /** Addresses that a frontend leads to. */
  leadsTo(frontend: string, from: "inside" | "outside" = "inside"): string[] {
    const row = this.services.get(frontend);
    if (row === undefined) throw new Error(`There is no frontend "${frontend}"`);
    const [set, count] = from === "inside" ? [row.insideSet, row.insideCount] : [row.outsideSet, row.outsideCount];
    const numbers = Array.from({ length: count }, (_, index) => this.slots.get(`${set} ${index}`) ?? 0);
    return [...new Set(numbers)].map((n) => this.backends.get(n) ?? "?");
  }

  /** What differs from what the tables say should be there; empty: nothing. */
  differences(tables: ServiceTables): string[] {
    const found: string[] = [];
    const rows = new Map([...tables.frontendRows()].map((r) => [frontendName(r.frontend), r.row]));
    for (const name of new Set([...rows.keys(), ...this.services.keys()]))
      if (!isSameServiceRow(rows.get(name), this.services.get(name))) found.push(`service ${name}`);
    const slots = new Map<string, number>(
      [...tables.sets.numbers()].flatMap((set) =>
        [...tables.sets.slots(set)].map((b, i) => [`${set} ${i}`, b] as const),
      ),
    );
    for (const key of new Set([...slots.keys(), ...this.slots.keys()]))
      if (slots.get(key) !== this.slots.get(key)) found.push(`slot ${key}`);
    const backends = new Map(
      [...tables.backendNumbers()].map((number) => {
        const b = tables.backendRow(number);
        return [number, `${b?.addr.text} ${b?.port} ${b?.protocol}`];
      }),
    );
    for (const n of new Set([...backends.keys(), ...this.backends.keys()]))
      if (backends.get(n) !== this.backends.get(n)) found.push(`backend ${n}`);
    const sources = new Set([...tables.sourceRows()].map((s) => `${s.service} ${s.prefix.text}`));
    for (const s of new Set([...sources, ...this.sources]))
      if (sources.has(s) !== this.sources.has(s)) found.push(`source ${s}`);
    return found;
  }

  #check(): void {
    for (const [name, row] of this.services)
      for (const [set, count] of [
        [row.insideSet, row.insideCount],
        [row.outsideSet, row.outsideCount],
      ] as const)
        for (let i = 0; i < count; i++) {
          const backend = this.slots.get(`${set} ${i}`);
          if (backend === undefined || !this.backends.has(backend))
            throw new Error(`${name} leads through place ${i} of set ${set} to nobody`);
        }
  }
}

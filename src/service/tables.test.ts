import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServiceFlag } from "../net/gen/bpf-maps.ts";
import type { ServicePlan } from "./service-plan.ts";
import { ServiceTables, type TableLimits } from "./tables.ts";
import { ModelMaps, plan } from "./testing.ts";

const LIMITS: TableLimits = { services: 1000, slots: 10_000, backends: 1000, sources: 1000 };
const NOTHING: ServicePlan = { ports: [], unserved: undefined, issues: [] };

/** Tables and the maps that follow them. */
function node(limits: Partial<TableLimits> = {}) {
  const tables = new ServiceTables({ ...LIMITS, ...limits });
  const maps = new ModelMaps();
  return {
    tables,
    maps,
    set(key: string, wanted: ServicePlan | undefined) {
      tables.apply(key, wanted);
      const writes = tables.commit();
      maps.write(writes);
      assert.deepEqual(maps.differences(tables), []);
      return writes;
    },
  };
}

const WEB = "10.96.0.1 80 6";

test("a service comes, gets backends, changes and goes; nothing is left", () => {
  const n = node();
  n.set("shop/web", plan({}, []));
  assert.deepEqual(n.maps.leadsTo(WEB), []);
  n.set("shop/web", plan({}, ["10.0.0.1", "10.0.0.2"]));
  assert.deepEqual(n.maps.leadsTo(WEB), ["10.0.0.1 8080 6", "10.0.0.2 8080 6"]);
  const same = n.set("shop/web", plan({}, ["10.0.0.2", "10.0.0.1"]));
  assert.deepEqual(
    Object.values(same).map((w) => (Array.isArray(w) ? w.length : w)),
    [0, 0, 0, 0, 0, 0, 0, 0, false],
  );
  const less = n.set("shop/web", plan({}, ["10.0.0.2", "10.0.0.3"]));
  assert.deepEqual([less.services.length, less.goneBackends.length, less.hasGone], [0, 1, true]);
  n.set("shop/web", undefined);
  assert.deepEqual([n.maps.services.size, n.maps.slots.size, n.maps.backends.size], [0, 0, 0]);
  assert.deepEqual(n.tables.counts(), { services: 0, slots: 0, backends: 0, sources: 0 });
});

test("a backend of two services goes with the last of them", () => {
  const n = node();
  n.set("shop/web", plan({}, ["10.0.0.1"]));
  n.set("shop/api", plan({ clusterIP: "10.96.0.2" }, ["10.0.0.1"], { name: "api" }));
  assert.equal(n.maps.backends.size, 1);
  n.set("shop/web", undefined);
  assert.deepEqual(n.maps.leadsTo("10.96.0.2 80 6"), ["10.0.0.1 8080 6"]);
  n.set("shop/api", undefined);
  assert.equal(n.maps.backends.size, 0);
});

test("a backend that moves from one service to another in one step keeps its number and its row", () => {
  const n = node();
  n.set("shop/web", plan({}, ["10.0.0.1"]));
  const number = n.tables.backendNumber("10.0.0.1:8080/6");
  n.tables.apply("shop/web", plan({}, []));
  n.tables.apply("shop/api", plan({ clusterIP: "10.96.0.2" }, ["10.0.0.1"], { name: "api" }));
  n.maps.write(n.tables.commit());
  assert.deepEqual(n.maps.differences(n.tables), []);
  assert.equal(n.tables.backendNumber("10.0.0.1:8080/6"), number);
});

test("flags and sets of a load balancer with everything", () => {
  const n = node();
  const spec = {
    type: "LoadBalancer",
    externalTrafficPolicy: "Local",
    internalTrafficPolicy: "Local",
    sessionAffinity: "ClientIP",
    loadBalancerSourceRanges: ["203.0.113.0/24"],
    ports: [{ port: 80, nodePort: 30080 }],
  };
  const status = { loadBalancer: { ingress: [{ ip: "192.0.2.9" }] } };
  n.set("shop/web", plan(spec, ["10.0.0.1 node=here", "10.0.0.2 node=there"], { status }));
  const row = (name: string) => n.maps.services.get(name);
  const { affinity, insideLocal, outside, outsideLocal, sources } = ServiceFlag;
  assert.equal(row(WEB)?.flags, insideLocal | affinity);
  assert.equal(row("192.0.2.9 80 6")?.flags, outside | outsideLocal | affinity | sources);
  assert.equal(row("0.0.0.0 30080 6")?.flags, outside | outsideLocal | affinity);
  assert.equal(row(WEB)?.affinitySeconds, 10_800);
  assert.deepEqual(n.maps.leadsTo(WEB), ["10.0.0.1 8080 6"]);
  assert.deepEqual(n.maps.leadsTo("192.0.2.9 80 6", "outside"), ["10.0.0.1 8080 6"]);
  assert.equal(n.maps.leadsTo("192.0.2.9 80 6", "inside").length, 2);
  assert.deepEqual([...n.maps.sources], [`${row(WEB)?.number} 203.0.113.0/24`]);
  n.set("shop/web", plan(spec, [], { status }));
  assert.equal(row("192.0.2.9 80 6")?.flags, outside | affinity | sources, "nobody anywhere: refused, not dropped");
});

test("Maglev: the set is the table, and a slice that changes nothing of it writes nothing", () => {
  const n = node();
  const maglev = (endpoints: readonly string[]) => plan({}, endpoints, { context: { algorithm: "maglev" } });
  n.set("shop/web", maglev(["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
  const row = n.maps.services.get(WEB);
  assert.deepEqual([row?.insideCount, row?.flags], [251, ServiceFlag.maglev]);
  const less = n.set("shop/web", maglev(["10.0.0.1", "10.0.0.2"]));
  assert.ok(less.slots.length < 150, `${less.slots.length} places written`);
  const ending = n.set("shop/web", maglev(["10.0.0.1", "10.0.0.2", "10.0.0.3 ending"]));
  assert.equal(ending.slots.length, 0);
});

test("of two that claim an address the older gets it, a cluster IP always, and the other when it is free", () => {
  const claim = (name: string, created: string, spec: object) =>
    plan({ clusterIP: "10.96.0.9", externalIPs: ["192.0.2.1"], ...spec }, [name === "old" ? "10.0.0.1" : "10.0.0.2"], {
      name,
      metadata: { creationTimestamp: created },
    });
  const n = node();
  const young = claim("young", "2026-02-01T00:00:00Z", {});
  const old = claim("old", "2026-01-01T00:00:00Z", { clusterIP: "10.96.0.8" });
  n.set("shop/young", young);
  n.set("shop/old", old);
  assert.deepEqual(n.maps.leadsTo("192.0.2.1 80 6"), ["10.0.0.1 8080 6"]);
  const lost = young.ports[0]?.frontends.find((f) => f.kind === "ExternalIP");
  assert.ok(lost);
  assert.equal(n.tables.ownerInstead(lost, "shop/young:80/6/4"), "shop/old:80/6/4");
  const thief = claim("thief", "2025-01-01T00:00:00Z", { clusterIP: "10.96.0.7", externalIPs: ["10.96.0.8"] });
  n.set("shop/thief", thief);
  assert.deepEqual(n.maps.leadsTo("10.96.0.8 80 6"), ["10.0.0.1 8080 6"], "an external IP takes no cluster IP away");
  n.set("shop/old", undefined);
  assert.deepEqual(n.maps.leadsTo("192.0.2.1 80 6"), ["10.0.0.2 8080 6"]);
});

test("what finds no room has no rows, is named, and gets them when there is room", () => {
  for (const limits of [{ services: 1 }, { slots: 2 }, { backends: 2 }] as const) {
    const n = node(limits);
    n.set("shop/web", plan({}, ["10.0.0.1", "10.0.0.2"]));
    const api = plan({ clusterIP: "10.96.0.2" }, ["10.0.0.3"], { name: "api" });
    n.set("shop/api", api);
    assert.deepEqual([...n.tables.overflow], ["shop/api"], JSON.stringify(limits));
    assert.equal(n.maps.services.size, 1);
    n.set("shop/web", plan({ clusterIP: "10.96.0.1" }, ["10.0.0.1"]));
    n.set("shop/web", NOTHING);
    n.set("shop/api", api);
    assert.equal(n.tables.overflow.size, 0);
    assert.deepEqual(n.maps.leadsTo("10.96.0.2 80 6"), ["10.0.0.3 8080 6"]);
  }
});

test("a later agent that finds rows goes on with their numbers", () => {
  const first = node();
  first.set("shop/web", plan({}, ["10.0.0.1"]));
  const row = first.maps.services.get(WEB);
  assert.ok(row);
  const backends = new Map([["10.0.0.1:8080/6", 77]]);
  const services = new Map([[WEB, { ...row, number: 5, insideSet: 6 }]]);
  const second = new ServiceTables(LIMITS, { services, backends });
  second.apply("shop/web", plan({}, ["10.0.0.1"]));
  assert.deepEqual(second.commit().services[0]?.row, { ...row, number: 5, insideSet: 6 });
  assert.equal(second.backendNumber("10.0.0.1:8080/6"), 77);
});

test("who serves still and who gets new flows", () => {
  const { tables, set } = node();
  set("shop/web", plan({}, ["10.0.0.1", "10.0.0.2 ending", "10.0.0.3 gone"]));
  const web = tables.numberOf("shop/web:80/6/4") ?? 0;
  const b = (i: number) => tables.backendNumber(`10.0.0.${i}:8080/6`);
  assert.deepEqual([tables.isServing(web, b(1)), tables.isMember(web, b(1))], [true, true]);
  assert.deepEqual([tables.isServing(web, b(2)), tables.isMember(web, b(2))], [true, false]);
  assert.equal(b(3), 0);
  assert.equal(tables.nameOf(web), "shop/web:80/6/4");
});

/** Services as they may come and go: few addresses, so that they meet. */
const anyPlan = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  isGone: fc.boolean(),
  type: fc.constantFrom("ClusterIP", "NodePort", "LoadBalancer"),
  internalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  externalTrafficPolicy: fc.constantFrom("Cluster", "Local"),
  externalIPs: fc.subarray(["192.0.2.1", "192.0.2.2", "10.96.0.1"]),
  loadBalancerSourceRanges: fc.subarray(["203.0.113.0/24", "198.51.100.0/24"]),
  ingress: fc.subarray(["192.0.2.1", "192.0.2.9"]),
  nodePort: fc.constantFrom(30080, 30081),
  endpoints: fc.subarray(["10.0.0.1", "10.0.0.2 node=here", "10.0.0.3 ending", "10.0.0.4 unready", "10.0.0.5 for=a"]),
  algorithm: fc.constantFrom("random" as const, "maglev" as const),
});

test("whatever comes and goes, readers find no hole between two writes, and the maps are what the tables say", () => {
  fc.assert(
    fc.property(fc.array(anyPlan, { maxLength: 12 }), (steps) => {
      const n = node({ services: 8, slots: 60 });
      for (const { name, isGone, endpoints, ingress, nodePort, algorithm, ...spec } of steps) {
        const wanted = plan(
          { ...spec, clusterIP: `10.96.0.${name.charCodeAt(0) - 96}`, ports: [{ port: 80, nodePort }] },
          endpoints,
          {
            name,
            status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
            context: { algorithm, maglevSize: 13 },
          },
        );
        n.set(`shop/${name}`, isGone ? undefined : wanted);
      }
      for (const name of ["a", "b", "c"]) n.set(`shop/${name}`, undefined);
      assert.deepEqual(n.tables.counts(), { services: 0, slots: 0, backends: 0, sources: 0 });
    }),
    { numRuns: 200 },
  );
});

test("direct server return is for who comes from the wire, and a service's own choice counts", () => {
  const n = node();
  const spec = { type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] };
  const flags = (name: string) => n.maps.services.get(name)?.flags;
  const annotated = (text: string) => ({ metadata: { annotations: { "twill.dev/service-forwarding": text } } });
  n.set("shop/web", plan(spec, ["10.0.0.1"], annotated("dsr")));
  assert.equal(flags("0.0.0.0 30080 6"), ServiceFlag.outside | ServiceFlag.dsr);
  assert.equal(flags(WEB), 0);
  n.set("shop/web", plan(spec, ["10.0.0.1"], { context: { forwarding: "dsr" } }));
  assert.equal(flags("0.0.0.0 30080 6"), ServiceFlag.outside | ServiceFlag.dsr);
  n.set("shop/web", plan(spec, ["10.0.0.1"], { ...annotated("snat"), context: { forwarding: "dsr" } }));
  assert.equal(flags("0.0.0.0 30080 6"), ServiceFlag.outside);
});

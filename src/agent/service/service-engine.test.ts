import assert from "node:assert/strict";
import { test } from "node:test";
import { testNode } from "../../cluster/fake-source.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import { KernelError } from "../../kernel/kernel.ts";
import type { EndpointSlice } from "../../model/endpoint-slice.ts";
import type { Node } from "../../model/node.ts";
import type { Service } from "../../model/service.ts";
import { prefix } from "../../net/prefix.ts";
import { backendMapKey, SERVICE_MAPS } from "../../plan/service-rows.ts";
import { service, slice } from "../../service/testing.ts";
import { tableFrom } from "../../store/table.ts";
import { finish } from "../compare/map-look.ts";
import { clearServices, ServiceEngine, type ServiceOptions } from "./service-engine.ts";
import { shownServices } from "./testing.ts";

const OPTIONS: ServiceOptions = {
  node: "here",
  algorithm: "random",
  maglevTableSize: 251,
  forwarding: "snat",
  nodePortAddresses: [],
};

/** A node's kernel, the cluster's tables, and agents that come and go. */
class Cluster {
  readonly machine = new FakeMachine();
  readonly kernel = createFakeKernel({ machine: this.machine });
  #services = tableFrom<Service>([], keyOf);
  #slices = tableFrom<EndpointSlice>([], keyOf);
  #nodes = tableFrom<Node>([], (n) => n.name);

  constructor() {
    this.kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
    this.node({});
  }

  put(...rows: readonly Service[]): this {
    this.#services = this.#services.with(rows.map((row) => ({ key: keyOf(row), row })));
    return this;
  }

  remove(name: string): this {
    this.#services = this.#services.with([{ key: `shop/${name}`, row: undefined }]);
    return this;
  }

  slices(...rows: readonly EndpointSlice[]): this {
    this.#slices = this.#slices.with(rows.map((row) => ({ key: keyOf(row), row })));
    return this;
  }

  node(labels: Readonly<Record<string, string>>): this {
    const node = testNode("here", ["192.0.2.1", "198.51.100.1"], []);
    this.#nodes = tableFrom([{ ...node, labels: new Map(Object.entries(labels)) }], (n) => n.name);
    return this;
  }

  engine(options: Partial<ServiceOptions> = {}): ServiceEngine {
    return new ServiceEngine(this.kernel, { ...OPTIONS, ...options });
  }

  update(engine: ServiceEngine): number {
    return engine.update({ services: this.#services, endpointSlices: this.#slices, nodes: this.#nodes });
  }

  shown(): string[] {
    return shownServices(this.kernel);
  }

  count(): number {
    return Object.values(SERVICE_MAPS).reduce((n, map) => n + this.kernel.mapCount(map), 0);
  }
}

function keyOf(row: { readonly namespace: string; readonly name: string }): string {
  return `${row.namespace}/${row.name}`;
}

const API = service("api", { clusterIP: "10.96.0.2" });

test("services come, change and go, and only those that changed are looked at", () => {
  const c = new Cluster().put(service("web"), API).slices(slice("web", ["10.0.0.1", "10.0.0.2"]));
  const engine = c.engine();
  c.update(engine);
  assert.deepEqual(c.shown(), ["10.96.0.1:80 > 10.0.0.1:8080, 10.0.0.2:8080", "10.96.0.2:80 >"]);
  assert.equal(c.update(engine), 0);
  c.slices(slice("api", ["10.0.0.2"]));
  assert.equal(c.update(engine), 1);
  assert.deepEqual(c.shown()[1], "10.96.0.2:80 > 10.0.0.2:8080");
  assert.equal(finish(engine.mending()), 0);
  c.remove("web").remove("api");
  c.update(engine);
  assert.equal(c.count(), 0);
});

test("a later agent finds everything right and writes nothing; what went meanwhile goes", () => {
  const c = new Cluster().put(service("web"), API).slices(slice("web", ["10.0.0.1"]), slice("api", ["10.0.0.9"]));
  c.update(c.engine());
  const before = Object.values(SERVICE_MAPS).map((m) => c.kernel.mapRows(m));
  const next = c.engine();
  c.update(next);
  assert.equal(finish(next.mending()), 0);
  assert.deepEqual(
    Object.values(SERVICE_MAPS).map((m) => c.kernel.mapRows(m)),
    before,
  );
  c.remove("api").slices(slice("web", ["10.0.0.3"]));
  const last = c.engine();
  c.update(last);
  assert.deepEqual(c.shown(), ["10.96.0.1:80 > 10.0.0.3:8080"]);
  assert.ok(last.takeGone(), "flows of before are looked through");
  assert.ok(!last.takeGone());
});

test("what somebody changes or removes is put back, what somebody adds goes", () => {
  const restricted = service(
    "web",
    { type: "LoadBalancer", loadBalancerSourceRanges: ["203.0.113.0/24"] },
    {},
    { loadBalancer: { ingress: [{ ip: "192.0.2.9" }] } },
  );
  const c = new Cluster().put(restricted).slices(slice("web", ["10.0.0.1", "10.0.0.2"]));
  const engine = c.engine();
  c.update(engine);
  const whole = c.count();
  for (const map of Object.values(SERVICE_MAPS)) {
    const [row, other] = c.kernel.mapRows(map);
    assert.ok(row, map);
    c.kernel.deleteMapKeys(map, [row.key]);
    const key = row.key.map((b, i) => (i < 4 && map !== "service_sources" ? 255 - b : b));
    if (map !== "service_sources") c.kernel.putMapRows(map, [{ key, value: other?.value ?? row.value }]);
    assert.ok(finish(engine.mending()) > 0, map);
    assert.equal(finish(engine.mending()), 0);
    assert.equal(c.count(), whole);
  }
  assert.deepEqual(c.shown(), [
    "10.96.0.1:80 > 10.0.0.1:8080, 10.0.0.2:8080",
    "192.0.2.9:80 > 10.0.0.1:8080, 10.0.0.2:8080",
  ]);
});

test("a write that fails is made up for by the next update, wherever it failed", () => {
  for (const method of ["putMapRows", "deleteMapKeys"]) {
    const c = new Cluster().put(service("web"), API).slices(slice("web", ["10.0.0.1", "10.0.0.2"]));
    const engine = c.engine();
    c.update(engine);
    c.remove("api").slices(slice("web", ["10.0.0.3"]));
    c.machine.failNext(method, new KernelError("write", "E2BIG", 7));
    assert.throws(() => c.update(engine), /E2BIG/);
    c.update(engine);
    assert.deepEqual(c.shown(), ["10.96.0.1:80 > 10.0.0.3:8080"], method);
    assert.equal(finish(engine.mending()), 0);
  }
});

test("the node's zone is a matter of all services", () => {
  const c = new Cluster().put(service("web")).slices(slice("web", ["10.0.0.1 for=a", "10.0.0.2 for=b"]));
  const engine = c.engine();
  c.update(engine);
  assert.equal(c.shown()[0], "10.96.0.1:80 > 10.0.0.1:8080, 10.0.0.2:8080");
  c.node({ "topology.kubernetes.io/zone": "b" });
  c.update(engine);
  assert.equal(c.shown()[0], "10.96.0.1:80 > 10.0.0.2:8080");
});

test("node ports are open on the addresses that the configuration names", () => {
  const web = service("web", { type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] });
  const all = new Cluster().put(web);
  all.update(all.engine());
  assert.deepEqual(all.shown(), ["0.0.0.0:30080 >", "10.96.0.1:80 >"]);
  const some = new Cluster().put(web);
  some.update(some.engine({ nodePortAddresses: [prefix("198.51.100.0/24")] }));
  assert.deepEqual(some.shown(), ["10.96.0.1:80 >", "198.51.100.1:30080 >"]);
});

test("what finds no room is told, and gets it as soon as something goes", () => {
  const c = new Cluster();
  c.kernel.loadPrograms(new Uint8Array([2]), {
    pinDirectory: "/sys/fs/bpf/twill",
    maxEntries: new Map([["backends", 1]]),
  });
  c.put(service("web"), API).slices(slice("web", ["10.0.0.1"]), slice("api", ["10.0.0.2"]));
  const engine = c.engine();
  c.update(engine);
  assert.deepEqual([...engine.tables.overflow], ["shop/web"]);
  c.remove("api");
  c.update(engine);
  assert.deepEqual([[...engine.tables.overflow], c.shown()], [[], ["10.96.0.1:80 > 10.0.0.1:8080"]]);
});

test("an agent that is not to have services leaves none", () => {
  const c = new Cluster().put(service("web")).slices(slice("web", ["10.0.0.1"]));
  c.update(c.engine());
  assert.equal(clearServices(c.kernel), 3);
  assert.equal(c.kernel.mapGet("backends", backendMapKey(1)), undefined);
  assert.equal(c.count(), 0);
});

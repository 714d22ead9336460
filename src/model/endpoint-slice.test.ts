import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { parseEndpointSlice } from "./endpoint-slice.ts";
import { createInterner } from "./intern.ts";

const slice = (more: object, interner = createInterner()) =>
  parseEndpointSlice(
    { metadata: { namespace: "x", name: "s", labels: { "kubernetes.io/service-name": "api" } }, ...more },
    interner,
  );

function stateOf(endpoint: object) {
  const read = slice({ endpoints: [{ addresses: ["10.0.0.1"], ...endpoint }] });
  assert.ok(read.ok, JSON.stringify(read));
  return read.value.endpoints[0]?.state;
}

test("a slice has the addresses of all its endpoints, ready or not, and its ports", () => {
  const read = slice({
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"], conditions: { ready: false } }],
    ports: [{ port: 80 }, { protocol: "UDP", name: "dns" }, { protocol: "SCTP", port: 9 }],
  });
  assert.ok(read.ok);
  assert.equal(`${read.value.namespace}/${read.value.service}`, "x/api");
  assert.deepEqual(
    read.value.endpoints.map((e) => [
      [e.addr, ...e.others].map((a) => a.text).join(),
      e.state.isReady,
      e.state.isServing,
    ]),
    [
      ["10.0.0.1", true, true],
      ["10.0.0.2", false, false],
    ],
  );
  assert.deepEqual(read.value.ports, [
    { name: "", protocol: 6, port: 80 },
    { name: "dns", protocol: 17, port: undefined },
    { name: "", protocol: 132, port: 9 },
  ]);
});

test("an address of a pod that is known is the one that its row has", () => {
  const [own, other] = [addr("10.0.0.1"), addr("fd00::1")];
  const interner = createInterner(undefined, (namespace, name) =>
    `${namespace}/${name}` === "x/a" ? [other, own] : [],
  );
  const targetRef = { kind: "Pod", namespace: "x", name: "a" };
  const read = slice(
    {
      endpoints: [
        { addresses: ["10.0.0.1"], targetRef },
        { addresses: ["10.0.0.2"], targetRef },
        { addresses: ["10.0.0.1"], targetRef: { ...targetRef, kind: "VM" } },
      ],
    },
    interner,
  );
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.endpoints.map((e) => [e.addr.text, e.addr === own]),
    [
      ["10.0.0.1", true],
      ["10.0.0.2", false],
      ["10.0.0.1", false],
    ],
  );
});

test("conditions, place and hints of an endpoint, as v1 and v1beta1 write them", () => {
  const nothing = { isReady: true, isServing: true, isTerminating: false, nodeName: "", zone: "" };
  const bare = { ...nothing, forZones: [], forNodes: [] };
  const ending = { conditions: { ready: false, serving: true, terminating: true } };
  const v1 = {
    nodeName: "n1",
    zone: "z1",
    hints: { forZones: [{ name: "z1" }, { name: "z2" }], forNodes: [{ name: "n1" }] },
  };
  const beta = { topology: { "kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z1" } };
  assert.deepEqual(stateOf({}), bare);
  assert.deepEqual(stateOf(ending), { ...bare, isReady: false, isServing: true, isTerminating: true });
  assert.deepEqual(stateOf(v1), {
    ...bare,
    nodeName: "n1",
    zone: "z1",
    forZones: ["z1", "z2"],
    forNodes: ["n1"],
  });
  assert.deepEqual(stateOf(beta), { ...bare, nodeName: "n1", zone: "z1" });
});

test("endpoints that are alike share their state", () => {
  const read = slice({ endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"] }] });
  assert.ok(read.ok);
  assert.equal(read.value.endpoints[0]?.state, read.value.endpoints[1]?.state);
});

test("names instead of addresses are no addresses, and a slice may be nobody's and empty", () => {
  const names = slice({ addressType: "FQDN", endpoints: [{ addresses: ["example.com"] }] });
  assert.ok(names.ok);
  assert.deepEqual(names.value.endpoints, []);
  const bare = parseEndpointSlice({ metadata: { name: "s" }, endpoints: null, ports: null }, createInterner());
  assert.ok(bare.ok);
  assert.deepEqual([bare.value.service, bare.value.ports], ["", []]);
});

test("what is wrong is told with its path", () => {
  const read = slice({ endpoints: [{ addresses: ["x"] }], ports: [{ protocol: "TCPP", port: 0 }] });
  assert.ok(!read.ok);
  assert.deepEqual(
    read.error.map((i) => i.path),
    ["ports[0].protocol", "endpoints[0].addresses[0]"],
  );
});

test("a slice with a label of another proxy, or of a headless service, is none of ours", () => {
  const isUnproxied = (labels: object) => {
    const read = parseEndpointSlice({ metadata: { namespace: "x", name: "s", labels } }, createInterner());
    assert.ok(read.ok);
    return read.value.isUnproxied;
  };
  assert.equal(isUnproxied({ "kubernetes.io/service-name": "api" }), false);
  assert.equal(isUnproxied({ "service.kubernetes.io/service-proxy-name": "mesh" }), true);
  assert.equal(isUnproxied({ "service.kubernetes.io/headless": "" }), true);
});

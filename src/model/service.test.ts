import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "./intern.ts";
import { parseEndpointSlice, parseService } from "./service.ts";

const slice = (more: object) =>
  parseEndpointSlice(
    { metadata: { namespace: "x", name: "s", labels: { "kubernetes.io/service-name": "api" } }, ...more },
    createInterner(),
  );

test("a slice has the addresses of all its endpoints, ready or not, and its ports", () => {
  const read = slice({
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"], conditions: { ready: false } }],
    ports: [{ port: 80 }, { protocol: "UDP" }, { protocol: "SCTP", port: 9 }],
  });
  assert.ok(read.ok);
  assert.equal(`${read.value.namespace}/${read.value.service}`, "x/api");
  assert.deepEqual(
    read.value.addrs.map((a) => a.text),
    ["10.0.0.1", "10.0.0.2"],
  );
  assert.deepEqual(read.value.ports, [
    { protocol: 6, port: 80 },
    { protocol: 17, port: undefined },
    { protocol: 132, port: 9 },
  ]);
});

test("names instead of addresses are no addresses, and a slice may be nobody's and empty", () => {
  const names = slice({ addressType: "FQDN", endpoints: [{ addresses: ["example.com"] }] });
  assert.ok(names.ok);
  assert.deepEqual(names.value.addrs, []);
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
  assert.ok(!parseService({ metadata: {} }, createInterner()).ok);
  assert.ok(!parseService({}, createInterner()).ok);
});

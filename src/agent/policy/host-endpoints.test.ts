import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../../base/result.ts";
import { createInterner } from "../../model/intern.ts";
import { parseHostEndpoint } from "../../model/policy/calico-objects.ts";
import { addr } from "../../net/addr.ts";
import { bytesKey } from "../../net/bytes-key.ts";
import { decodeHostEntry, decodeHostKey } from "../../net/gen/bpf-maps.ts";
import { hostMapRow } from "../../plan/policy-rows.ts";
import type { MapRow } from "../../plan/rows.ts";
import { translateHostEndpoint } from "../../policy/dialects/calico-host.ts";
import { DEFAULT_FAILSAFES, failsafePolicy } from "../../policy/failsafe.ts";
import { orderPolicies } from "../../policy/order.ts";
import { WORLD } from "../../policy/testing/dialect-world.ts";
import { HostEndpoints, type HostInput } from "./host-endpoints.ts";

/** The map `hosts` alone, and how often it was written. */
class Hosts {
  readonly rows = new Map<string, MapRow>();
  writes = 0;

  mapRows = () => [...this.rows.values()];
  putMapRows = (_: string, rows: readonly MapRow[]) => {
    this.writes++;
    for (const row of rows) this.rows.set(bytesKey(row.key), row);
  };
  deleteMapKeys = (_: string, keys: readonly Uint8Array[]) => {
    this.writes++;
    for (const key of keys) this.rows.delete(bytesKey(key));
  };

  text(): string[] {
    return this.mapRows().map(({ key, value }) => {
      const { ingressClass, egressClass } = decodeHostEntry(value);
      return `${decodeHostKey(key).ifindex}: ${ingressClass} ${egressClass}`;
    });
  }
}

const endpoint = (name: string, interfaceName: string) =>
  unwrap(parseHostEndpoint({ metadata: { name, labels: {} }, spec: { node: "n1", interfaceName } }, createInterner()));
const ENDPOINTS = [endpoint("eth", "eth0"), endpoint("gone", "eth9")];
const INPUT: HostInput = {
  node: WORLD.nodes[0],
  endpoints: ENDPOINTS,
  devices: [{ name: "eth0", ifindex: 2, addrs: [addr("192.168.77.11")] }],
  views: {},
  ordered: orderPolicies([failsafePolicy(DEFAULT_FAILSAFES), ...ENDPOINTS.flatMap(translateHostEndpoint)]),
};

test("parts stay the same objects while nothing changes, and are judged only where a policy speaks of them", () => {
  const hosts = new HostEndpoints(new Hosts());
  const first = hosts.update(INPUT);
  assert.deepEqual(
    first.map((p) => p.key),
    ["host 2"],
  );
  assert.equal(hosts.update({ ...INPUT })[0], first[0]);
  assert.ok(hosts.isJudged);
  assert.deepEqual(
    hosts.astray.map((a) => a.name),
    ["gone"],
  );
  assert.deepEqual(hosts.update({ ...INPUT, ordered: orderPolicies([failsafePolicy(DEFAULT_FAILSAFES)]) }), []);
  assert.ok(!hosts.isJudged);
});

test("a node that is not known is not judged", () => {
  const hosts = new HostEndpoints(new Hosts());
  assert.deepEqual(hosts.update({ ...INPUT, node: undefined }), []);
});

test("entries come with their classes and go without them; what others left is mended", () => {
  const map = new Hosts();
  const hosts = new HostEndpoints(map);
  hosts.put("host 2", { ingress: 7, egress: 8 });
  assert.deepEqual(map.text(), ["2: 7 8"]);
  map.putMapRows("hosts", [hostMapRow(2, { ingress: 1, egress: 1 }), hostMapRow(5, { ingress: 1, egress: 1 })]);
  assert.equal(hosts.mend(), 2);
  assert.deepEqual(map.text(), ["2: 7 8"]);
  const { writes } = map;
  assert.equal(hosts.mend(), 0);
  assert.equal(map.writes, writes);
  hosts.put("host 2", undefined);
  assert.deepEqual(map.text(), []);
  assert.throws(() => hosts.put("12", undefined), /"12" is no part of the node/);
});

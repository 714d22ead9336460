import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import {
  encodeService,
  encodeServiceAffinity,
  encodeServiceAffinityKey,
  encodeServiceFlow,
  encodeServiceFlowKey,
  encodeServiceKey,
  encodeServiceSource,
  encodeServiceSourceKey,
  encodeSockReverse,
  encodeSockReverseKey,
  ServiceFlag,
  ServiceFlowFlag,
  SockMetric,
} from "../net/gen/bpf-maps.ts";
import { decodeRow } from "./decode-map.ts";

const CLIENT = addr("10.244.1.5").bytes;
const CLUSTER_IP = addr("10.96.0.10").bytes;
const BACKEND = addr("10.244.2.7").bytes;

test("a frontend is shown with its sets and what its flags mean", () => {
  const key = encodeServiceKey({ addr: CLUSTER_IP, port: 53, protocol: 17 });
  const value = encodeService({
    number: 7,
    flags: ServiceFlag.outside | ServiceFlag.affinity,
    insideSet: 8,
    insideCount: 2,
    outsideSet: 9,
    outsideCount: 1,
    affinitySeconds: 10_800,
  });
  assert.deepEqual(decodeRow("services", { key, value }), {
    frontend: "10.96.0.10:53",
    protocol: "UDP",
    service: 7,
    flags: "outside,affinity",
    "inside set": 8,
    "inside count": 2,
    "outside set": 9,
    "outside count": 1,
    "affinity seconds": 10_800,
  });
});

test("a node port of all addresses has the zero address of its family", () => {
  for (const [text, shown] of [
    ["0.0.0.0", "0.0.0.0:30080"],
    ["::", "[::]:30080"],
  ] as const) {
    const key = encodeServiceKey({ addr: addr(text).bytes, port: 30_080, protocol: 6 });
    assert.equal(decodeRow("services", { key, value: new Uint8Array(32) })["frontend"], shown);
  }
});

test("allowed sources are prefixes of their family", () => {
  const value = encodeServiceSource({ isAllowed: 1 });
  for (const [text, bits] of [
    ["192.0.2.0/24", 32 + 96 + 24],
    ["2001:db8::/32", 32 + 32],
  ] as const) {
    const key = encodeServiceSourceKey({ prefixBits: bits, service: 7, addr: addr(text.split("/")[0] ?? "").bytes });
    assert.deepEqual(decodeRow("service_sources", { key, value }), { service: 7, prefix: text, allowed: 1 });
  }
});

test("a translated flow is shown as it comes and as it goes on", () => {
  const key = encodeServiceFlowKey({ src: BACKEND, srcPort: 8080, dst: CLIENT, dstPort: 40_000, protocol: 6 });
  const value = encodeServiceFlow({
    src: CLUSTER_IP,
    srcPort: 80,
    dst: CLIENT,
    dstPort: 40_000,
    flags: ServiceFlowFlag.flowReply,
    service: 7,
    backend: 4,
    created: 3,
  });
  assert.deepEqual(decodeRow("service_flows", { key, value }), {
    protocol: "TCP",
    from: "10.244.2.7:8080",
    to: "10.244.1.5:40000",
    "becomes from": "10.96.0.10:80",
    "becomes to": "10.244.1.5:40000",
    flags: "flow_reply",
    service: 7,
    backend: 4,
    created: 3,
  });
});

test("who asked is an address or the namespace of a socket", () => {
  const cookie = new Uint8Array(16);
  new DataView(cookie.buffer).setBigUint64(8, 77n, true);
  const value = encodeServiceAffinity({ backend: 4, lastSeen: 9 });
  for (const [client, text] of [
    [CLIENT, "10.244.1.5"],
    [addr("2001:db8::1").bytes, "2001:db8::1"],
    [cookie, "netns 77"],
  ] as const) {
    const key = encodeServiceAffinityKey({ client, service: 7 });
    const row = { client: text, service: 7, backend: 4, "last seen": 9 };
    assert.deepEqual(decodeRow("service_affinity", { key, value }), row);
  }
});

test("a socket is shown with what it asked for", () => {
  const key = encodeSockReverseKey({ cookie: 12n, addr: BACKEND, port: 8080, protocol: 6 });
  const value = encodeSockReverse({ addr: CLUSTER_IP, port: 80, isConnected: 1, service: 7, backend: 3 });
  assert.deepEqual(decodeRow("sock_reverse", { key, value }), {
    socket: 12,
    protocol: "TCP",
    "talks to": "10.244.2.7:8080",
    asked: "10.96.0.10:80",
    connected: 1,
    service: 7,
    backend: 3,
  });
});

test("counters of sockets are summed over the CPUs", () => {
  const value = new Uint8Array(BigUint64Array.of(3n, 4n).buffer);
  const key = new Uint8Array(Uint32Array.of(SockMetric.noService).buffer);
  assert.deepEqual(decodeRow("sock_metrics", { key, value }), { what: "no_service", sockets: 7 });
});

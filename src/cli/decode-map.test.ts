import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import {
  BPF_MAPS,
  encodeCtEntry,
  encodeCtKey,
  encodeNatEntry,
  encodeNatKey,
  encodeScratch,
  NatDirection,
} from "../net/gen/bpf-maps.ts";
import { decodeRow } from "./decode-map.ts";

const POD = addr("10.244.1.5").bytes;
const OUT = addr("2001:db8::1").bytes;

test("a tracked flow is shown with sockets, flags and what both sides have said", () => {
  const key = encodeCtKey({ low: POD, lowPort: 40_000, high: OUT, highPort: 443, protocol: 6 });
  const value = encodeCtEntry({
    lastSeen: 5,
    created: 1,
    revision: 9,
    originIdentity: 4,
    replyIdentity: 3,
    judged: 7,
    asked: 80,
    egressRule: 0,
    ingressRule: 0,
    flags: 3,
    originSeen: 18,
    replySeen: 4,
    tunnel: new Uint8Array(16),
  });
  assert.deepEqual(decodeRow("ct_tcp", { key, value }), {
    protocol: "TCP",
    low: "10.244.1.5:40000",
    high: "[2001:db8::1]:443",
    origin: 4,
    reply: 3,
    "origin seen": "SA",
    "reply seen": "R",
    flags: "origin_high,via_stack",
    tunnel: "-",
    "egress rule": 0,
    "ingress rule": 0,
    judged: 7,
    "last seen": 5,
    revision: 9,
  });
});

test("a translated flow is shown with what it becomes", () => {
  const key = encodeNatKey({ src: POD, srcPort: 1, dst: OUT, dstPort: 53, protocol: 17, direction: NatDirection.out });
  const value = encodeNatEntry({ addr: addr("192.0.2.1").bytes, port: 20_000, created: 3, flags: 0 });
  assert.deepEqual(decodeRow("nat", { key, value }), {
    direction: "out",
    protocol: "UDP",
    from: "10.244.1.5:1",
    to: "[2001:db8::1]:53",
    becomes: "192.0.2.1:20000",
    created: 3,
  });
});

test("per-CPU counters are summed", () => {
  const value = new Uint8Array(64);
  const view = new DataView(value.buffer);
  for (let cpu = 0; cpu < 4; cpu++) {
    view.setBigUint64(cpu * 16, 2n, true);
    view.setBigUint64(cpu * 16 + 8, 100n, true);
  }
  assert.deepEqual(decodeRow("metrics", { key: new Uint8Array(4), value }), {
    what: "forward_local",
    packets: 8,
    bytes: 400,
  });
});

test("answers are those of the last tick in which there were any", () => {
  const cpus = [
    [4, 9],
    [5, 2],
    [5, 1],
  ].map(([tick = 0, answers = 0]) => encodeScratch({ tick, answers }));
  const row = decodeRow("scratch", { key: new Uint8Array(4), value: Buffer.concat(cpus) });
  assert.deepEqual(row, { tick: 5, answers: 3 });
});

test("every map with entries is decoded, of any bytes; an unknown map is shown as bytes", () => {
  for (const [map, { keyBytes, valueBytes }] of Object.entries(BPF_MAPS)) {
    if (keyBytes === 0) continue;
    const row = decodeRow(map, { key: new Uint8Array(keyBytes).fill(1), value: new Uint8Array(valueBytes).fill(1) });
    assert.ok(Object.keys(row).length >= 2 && !("key" in row), map);
  }
  assert.deepEqual(decodeRow("new_map", { key: Uint8Array.of(1), value: Uint8Array.of(255) }), {
    key: "01",
    value: "ff",
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MapInfo, MapPage } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { bytesKey } from "../../net/bytes-key.ts";
import {
  encodeCtEntry,
  encodeCtKey,
  encodeFragEntry,
  encodeFragKey,
  encodeNatEntry,
  encodeNatKey,
  encodeServiceFlow,
  encodeServiceFlowKey,
  NatDirection,
  ServiceFlowFlag,
} from "../../net/gen/bpf-maps.ts";
import type { MapRow } from "../../plan/rows.ts";
import { PAGE_ROWS, Sweeper } from "./sweeper.ts";
import { ageTicks, TIMEOUT_SECONDS, tickOf, ticks } from "./timeouts.ts";

/** Maps of the names; pages go by the order of keys, so that they survive deletions as the kernel's do. */
class Maps {
  readonly tables = new Map<string, Map<string, MapRow>>();
  maxEntries = 1 << 20;
  pages = 0;

  put(map: string, row: MapRow): void {
    const table = this.tables.get(map) ?? new Map<string, MapRow>();
    this.tables.set(map, table.set(bytesKey(row.key), row));
  }

  count(map: string): number {
    return this.tables.get(map)?.size ?? 0;
  }

  maps(): readonly MapInfo[] {
    return ["ct_tcp", "ct_other", "nat", "service_flows", "frags"].map((name) => ({
      name,
      type: "hash",
      keyBytes: 40,
      valueBytes: 48,
      maxEntries: this.maxEntries,
    }));
  }

  mapGet(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.tables.get(map)?.get(bytesKey(key))?.value;
  }

  mapPage(map: string, cursor: Uint8Array | undefined, limit: number): MapPage {
    this.pages++;
    const keys = [...(this.tables.get(map)?.keys() ?? [])].sort();
    const after = cursor === undefined ? keys : keys.filter((k) => k > bytesKey(cursor));
    const rows = after.slice(0, limit).flatMap((k) => this.tables.get(map)?.get(k) ?? []);
    return { rows, next: after.length > limit ? rows.at(-1)?.key : undefined };
  }

  deleteMapKeys(map: string, keys: readonly Uint8Array[]): void {
    for (const key of keys) this.tables.get(map)?.delete(bytesKey(key));
  }
}

const NOW = 1_000_000;
const POD = addr("10.244.1.5").bytes;
const OUT = addr("198.51.100.10").bytes;
const NODE = addr("192.168.77.11").bytes;

function flow(protocol: number, port: number, idleSeconds: number, originSeen: number, replySeen: number): MapRow {
  return {
    key: encodeCtKey({ low: POD, lowPort: port, high: OUT, highPort: protocol === 1 ? 0x0800 : 80, protocol }),
    value: encodeCtEntry({
      lastSeen: NOW - ticks(idleSeconds),
      created: 0,
      revision: 1,
      originIdentity: 4,
      replyIdentity: 3,
      judged: 7,
      asked: 80,
      egressRule: 0,
      ingressRule: 0,
      flags: 0,
      originSeen,
      replySeen,
      tunnel: new Uint8Array(16),
    }),
  };
}

function sweep(maps: Maps): Sweeper {
  const sweeper = new Sweeper(maps);
  for (let i = 0; i < 1000; i++) if (sweeper.step(NOW)) return sweeper;
  throw new Error("The sweep did not end");
}

const [SYN, ACK, FIN, RST] = [2, 16, 1, 4] as const;
const T = TIMEOUT_SECONDS;

const CASES: readonly (readonly [name: string, protocol: number, origin: number, reply: number, seconds: number])[] = [
  ["TCP, SYN without answer", 6, SYN, 0, T.tcpOpening],
  ["TCP, both sides have spoken", 6, SYN | ACK, SYN | ACK, T.tcpEstablished],
  ["TCP, picked up in its middle", 6, ACK, 0, T.tcpOpening],
  ["TCP, one side closed", 6, SYN | ACK | FIN, SYN | ACK, T.tcpHalfClosed],
  ["TCP, both closed", 6, SYN | ACK | FIN, SYN | ACK | FIN, T.tcpClosed],
  ["TCP, reset", 6, SYN | ACK, SYN | ACK | RST, T.tcpClosed],
  ["UDP, unanswered", 17, ACK, 0, T.udpOneWay],
  ["UDP, answered", 17, ACK, ACK, T.udpBothWays],
  ["ICMP", 1, ACK, ACK, T.icmp],
  ["ICMPv6", 58, ACK, 0, T.icmp],
  ["SCTP", 132, ACK, ACK, T.other],
];

for (const [name, protocol, origin, reply, seconds] of CASES)
  test(`timeout: ${name} after ${seconds} s`, () => {
    const map = protocol === 6 ? "ct_tcp" : "ct_other";
    for (const [idle, left] of [
      [seconds - 2, 1],
      [seconds + 2, 0],
    ] as const) {
      const maps = new Maps();
      maps.put(map, flow(protocol, 1000, idle, origin, reply));
      assert.equal(
        sweep(maps)
          .counts()
          .find((c) => c.map === map)?.entries,
        left,
      );
      assert.equal(maps.count(map), left);
    }
  });

function nat(protocol: number, port: number, ageSeconds: number): readonly MapRow[] {
  const created = NOW - ticks(ageSeconds);
  const icmp = protocol === 1;
  const outPort = icmp ? 0 : 80;
  return [
    {
      key: encodeNatKey({ src: POD, dst: OUT, srcPort: port, dstPort: outPort, protocol, direction: NatDirection.out }),
      value: encodeNatEntry({ addr: NODE, port: 20_000, created, flags: 0 }),
    },
    {
      key: encodeNatKey({
        src: OUT,
        dst: NODE,
        srcPort: outPort,
        dstPort: 20_000,
        protocol,
        direction: NatDirection.in,
      }),
      value: encodeNatEntry({ addr: POD, port, created, flags: 0 }),
    },
  ];
}

for (const protocol of [1, 6, 17])
  test(`NAT entries of protocol ${protocol} live exactly as long as their flow, both directions`, () => {
    const maps = new Maps();
    const ct = protocol === 6 ? "ct_tcp" : "ct_other";
    maps.put(ct, flow(protocol, 1000, 1, SYN | ACK, SYN | ACK));
    for (const row of nat(protocol, 1000, 1000)) maps.put("nat", row);
    sweep(maps);
    assert.equal(maps.count("nat"), 2);
    maps.tables.get(ct)?.clear();
    sweep(maps);
    assert.equal(maps.count("nat"), 0);
  });

test("a NAT entry that was just made is left, whatever conntrack says", () => {
  const maps = new Maps();
  for (const row of nat(6, 1000, 2)) maps.put("nat", row);
  sweep(maps);
  assert.equal(maps.count("nat"), 2);
});

/** What a flow of {@link POD} to a service becomes: {@link flow}, which conntrack sees. */
function served(protocol: number, port: number, ageSeconds: number): readonly MapRow[] {
  const more = { service: 1, backend: 1, created: NOW - ticks(ageSeconds) };
  return [
    {
      key: encodeServiceFlowKey({ src: POD, dst: NODE, srcPort: port, dstPort: 443, protocol }),
      value: encodeServiceFlow({ ...more, src: POD, dst: OUT, srcPort: port, dstPort: 80, flags: 0 }),
    },
    {
      key: encodeServiceFlowKey({ src: OUT, dst: POD, srcPort: 80, dstPort: port, protocol }),
      value: encodeServiceFlow({
        ...more,
        src: NODE,
        dst: POD,
        srcPort: 443,
        dstPort: port,
        flags: ServiceFlowFlag.flowReply,
      }),
    },
  ];
}

for (const protocol of [6, 17])
  test(`entries of services of protocol ${protocol} live exactly as long as their flow, both directions`, () => {
    const maps = new Maps();
    const ct = protocol === 6 ? "ct_tcp" : "ct_other";
    maps.put(ct, flow(protocol, 1000, 1, SYN | ACK, SYN | ACK));
    for (const row of served(protocol, 1000, 1000)) maps.put("service_flows", row);
    sweep(maps);
    assert.equal(maps.count("service_flows"), 2);
    maps.tables.get(ct)?.clear();
    for (const row of served(protocol, 1001, 2)) maps.put("service_flows", row);
    sweep(maps);
    assert.equal(maps.count("service_flows"), 2, "those that were just made are left");
  });

/** In which a new flow takes over entries while a page of them is looked at. */
class Reused extends Maps {
  readonly #takeOver: () => void;

  constructor(takeOver: (maps: Reused) => void) {
    super();
    this.#takeOver = () => takeOver(this);
  }

  override mapPage(map: string, cursor: Uint8Array | undefined, limit: number): MapPage {
    const page = super.mapPage(map, cursor, limit);
    this.#takeOver();
    return page;
  }
}

test("an entry that a new flow takes over while it is looked at stays", () => {
  const fresh = (maps: Maps) => {
    maps.put("ct_tcp", flow(6, 1000, 0, SYN, 0));
    for (const row of served(6, 1000, 0)) maps.put("service_flows", row);
    for (const row of nat(6, 1000, 0)) maps.put("nat", row);
  };
  const maps = new Reused(fresh);
  maps.put("ct_tcp", flow(6, 1000, T.tcpClosed + 2, SYN | ACK | FIN, SYN | ACK | FIN));
  for (const row of served(6, 1000, 1000)) maps.put("service_flows", row);
  for (const row of nat(6, 1000, 1000)) maps.put("nat", row);
  const sweeper = sweep(maps);
  assert.deepEqual([maps.count("ct_tcp"), maps.count("service_flows"), maps.count("nat")], [1, 2, 2]);
  for (const c of sweeper.counts()) assert.equal(c.expired, 0, c.map);
});

test("fragments are forgotten after a minute", () => {
  const maps = new Maps();
  for (const [id, age] of [
    [1, 55],
    [2, 65],
  ] as const)
    maps.put("frags", {
      key: encodeFragKey({ src: POD, dst: OUT, id, protocol: 17 }),
      value: encodeFragEntry({ srcPort: 1, dstPort: 2, created: NOW - ticks(age) }),
    });
  sweep(maps);
  assert.equal(maps.count("frags"), 1);
});

test("a large map is walked in bounded steps and counted", () => {
  const maps = new Maps();
  const total = PAGE_ROWS * 2 + 10;
  for (let i = 0; i < total; i++) maps.put("ct_tcp", flow(6, i, i % 2 === 0 ? 5 : 100_000, SYN | ACK, SYN | ACK));
  const sweeper = sweep(maps);
  const counts = sweeper.counts().find((c) => c.map === "ct_tcp");
  assert.deepEqual(counts, { map: "ct_tcp", entries: total / 2, expired: total / 2 });
  assert.equal(maps.count("ct_tcp"), total / 2);
});

test("a map that fills up gives unanswered flows less time, and answered ones as much as ever", () => {
  const maps = new Maps();
  maps.maxEntries = 4;
  maps.put("ct_other", flow(17, 1, T.udpOneWay / 2, ACK, 0));
  for (const port of [2, 3, 4]) maps.put("ct_other", flow(17, port, T.udpBothWays / 2, ACK, ACK));
  const sweeper = new Sweeper(maps);
  const pass = () => {
    while (!sweeper.step(NOW));
  };
  pass();
  assert.equal(maps.count("ct_other"), 4, "the first walk only counts");
  pass();
  assert.equal(maps.count("ct_other"), 3);
});

test("ticks: the programs' clock, its wrap, and entries from the near future", () => {
  assert.equal(tickOf(5n << 30n), 5);
  assert.equal(tickOf((1n << 62n) + 7n), tickOf(7n));
  assert.equal(ageTicks(3, 0xffff_fffe), 5);
  assert.equal(ageTicks(10, 11), 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIssues } from "../base/issue.ts";
import { unwrap } from "../base/result.ts";
import { parseCalicoIpPool } from "../model/calico-ip-pool.ts";
import { createInterner } from "../model/intern.ts";
import { type IpPool, parseIpPool } from "../model/ip-pool.ts";
import { prefix } from "../net/prefix.ts";
import { carvingPools, selectsNode, settlePools, shareLength } from "./node-pools.ts";

const parse = (name: string, spec: object, creationTimestamp = "2026-01-01T00:00:00Z") =>
  parseIpPool({ metadata: { name, creationTimestamp }, spec }, createInterner());
const pool = (name: string, spec: object, at?: string): IpPool => unwrap(parse(name, spec, at));

const CONFIGURED = [{ prefix: prefix("10.244.0.0/16"), nodeLength: 24 }];
const LENGTHS = { 4: 24, 6: 64 } as const;
const carving = (...pools: IpPool[]) =>
  carvingPools(settlePools(pools), CONFIGURED, LENGTHS).map(
    (p) => `${p.name ?? "-"} ${p.prefix.text} /${p.nodeLength}`,
  );

test("without a pool the configuration is carved from; with one only the pools are, as far as they are enabled", () => {
  assert.deepEqual(carving(), ["- 10.244.0.0/16 /24"]);
  assert.deepEqual(carving(pool("a", { cidr: "10.1.0.0/16" }), pool("six", { cidr: "fd00::/56" })), [
    "a 10.1.0.0/16 /24",
    "six fd00::/56 /64",
  ]);
  assert.deepEqual(
    carving(pool("a", { cidr: "10.1.0.0/16", disabled: true })),
    [],
    "a disabled one gives nothing, and nothing takes its place",
  );
  assert.deepEqual(carving(pool("a", { cidr: "10.1.0.0/26", nodeMaskSize: 28 }), pool("b", { cidr: "10.2.0.0/26" })), [
    "a 10.1.0.0/26 /28",
    "b 10.2.0.0/26 /26",
  ]);
});

test("those that select nodes come before those that are for all", () => {
  const all = pool("a", { cidr: "10.1.0.0/16" });
  const some = pool("b", { cidr: "10.2.0.0/16", nodeSelector: { matchLabels: { rack: "x" } } });
  assert.deepEqual(carving(all, some), ["b 10.2.0.0/16 /24", "a 10.1.0.0/16 /24"]);
  const [first] = carvingPools(settlePools([all, some]), CONFIGURED, LENGTHS);
  assert.deepEqual([first?.isFor?.(new Map([["rack", "x"]])), first?.isFor?.(new Map())], [true, false]);
});

test("a share has the configuration's size, or the pool's, and is no smaller than one of Calico's blocks", () => {
  const share = (cidr: string, nodeLength: number | undefined, blockLength: number | undefined) =>
    shareLength({ cidr: prefix(cidr), nodeLength, blockLength }, LENGTHS);
  assert.deepEqual(
    [
      share("10.0.0.0/16", undefined, undefined),
      share("10.0.0.0/16", 25, undefined),
      share("10.0.0.0/25", undefined, undefined),
      share("10.0.0.0/16", undefined, 26),
      share("10.0.0.0/16", undefined, 22),
      share("10.0.0.0/23", undefined, 20),
      share("fd00::/48", undefined, 122),
    ],
    [24, 25, 25, 24, 22, 23, 64],
  );
});

test("Calico's pools are carved from as Twill's are, for the nodes that they select", () => {
  const of = (name: string, spec: object, creationTimestamp = "2026-01-02T00:00:00Z") => {
    const read = parseCalicoIpPool({ metadata: { name, creationTimestamp }, spec }, createInterner());
    return unwrap(read).nodes ?? assert.fail(`"${name}" is for no node`);
  };
  const rack = of("rack", { cidr: "10.3.0.0/16", nodeSelector: "rack in {'x', 'y'} && !has(old)" });
  assert.deepEqual(
    carving(pool("a", { cidr: "10.1.0.0/16" }), rack, of("off", { cidr: "10.4.0.0/16", disabled: true })),
    ["rack 10.3.0.0/16 /24", "a 10.1.0.0/16 /24"],
  );
  const labels = [{ rack: "x" }, { rack: "x", old: "" }, { rack: "z" }, {}].map((l) => new Map(Object.entries(l)));
  assert.deepEqual(
    labels.map((l) => selectsNode(rack, l)),
    [true, false, false, false],
  );
  const { refused } = settlePools([pool("a", { cidr: "10.1.0.0/16" }), of("late", { cidr: "10.1.2.0/24" })]);
  assert.deepEqual([...refused.values()], ['"10.1.2.0/24" overlaps "10.1.0.0/16" of the older IPPool "a"']);
});

test("of pools that overlap the oldest is used, disabled or not", () => {
  const old = pool("z", { cidr: "10.0.0.0/8", disabled: true }, "2025-01-01T00:00:00Z");
  const { used, refused } = settlePools([pool("a", { cidr: "10.1.0.0/16" }), old, pool("b", { cidr: "11.0.0.0/16" })]);
  assert.deepEqual(
    used.map((p) => p.name),
    ["b", "z"],
  );
  const texts = [...refused].map(([p, why]) => [p.name, why]);
  assert.deepEqual(texts, [["a", '"10.1.0.0/16" overlaps "10.0.0.0/8" of the older IPPool "z"']]);
});

const WRONG: readonly (readonly [string, object, RegExp])[] = [
  ["no CIDR", {}, /^spec\.cidr: A value is required/],
  ["host bits", { cidr: "10.0.0.1/16" }, /^spec\.cidr: .*host bits/],
  ["too small", { cidr: "10.0.0.0/31" }, /at most \/30/],
  [
    "blocks larger than the pool",
    { cidr: "10.0.0.0/16", nodeMaskSize: 15 },
    /^spec\.nodeMaskSize: 15 is not an integer from 16 to 30/,
  ],
  [
    "reserved of another family",
    { cidr: "10.0.0.0/16", reserved: ["fd00::1"] },
    /^spec\.reserved\[0\]: .*another family/,
  ],
  ["unknown field", { cidr: "10.0.0.0/16", blockSize: 26 }, /^spec\.blockSize: Unknown field/],
  ["Calico's selector", { cidr: "10.0.0.0/16", nodeSelector: "all()" }, /^spec\.nodeSelector: Expected an object/],
];
for (const [name, spec, expected] of WRONG)
  test(`refused: ${name}`, () => {
    const r = parse("p", spec);
    assert.match(r.ok ? "" : formatIssues(r.error), expected);
  });

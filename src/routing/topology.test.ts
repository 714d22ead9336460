import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addr, addrFromBigint } from "../net/addr.ts";
import { type Prefix, prefix, prefixesOverlap, prefixHas, prefixOf } from "../net/prefix.ts";
import { type Claim, settleClaims } from "./conflicts.ts";
import { assignNodeIds, MAX_NODE_ID } from "./node-ids.ts";
import type { NodeNet } from "./node-net.ts";
import { planTopology } from "./topology.ts";

const node = (name: string, ips: readonly string[], cidrs: readonly string[]): NodeNet => ({
  name,
  internalIps: ips.map(addr),
  podCidrs: cidrs.map(prefix),
});

const claims = fc
  .array(fc.record({ bits: fc.integer({ min: 4, max: 8 }), at: fc.nat(255), rank: fc.nat(5) }), { maxLength: 20 })
  .map((list) =>
    list.map(({ bits, at, rank }): Claim => {
      const a = addrFromBigint(4, BigInt(0x0a000000 + at));
      return { prefix: prefixOf(a, 24 + bits), owner: `n${rank}`, rank };
    }),
  );

test("of claims that overlap only the best ranked owner's are kept, and each other one is reported", () => {
  fc.assert(
    fc.property(claims, (all) => {
      const { kept, issues } = settleClaims(all);
      for (const a of kept)
        for (const b of kept) assert.ok(a.owner === b.owner || !prefixesOverlap(a.prefix, b.prefix));
      const lost = all.filter((c) => !kept.includes(c));
      assert.equal(issues.length, lost.length);
      for (const c of lost) {
        const rivals = all.filter(
          (o) => o.owner !== c.owner && o.rank <= c.rank && prefixesOverlap(o.prefix, c.prefix),
        );
        assert.ok(rivals.length > 0, "nobody loses to a worse one");
      }
      const best = Math.min(...all.map((c) => c.rank));
      for (const c of all.filter((x) => x.rank === best)) assert.ok(kept.includes(c), "the best ranked loses nothing");
    }),
  );
});

test("numbers are unique, and kept over any change of the nodes", () => {
  const name = fc.integer({ min: 1, max: 30 });
  const sets = fc.array(fc.uniqueArray(name, { maxLength: 20 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sets, (history) => {
      let previous: ReadonlyMap<string, number> = new Map();
      let before: ReadonlyMap<string, number> = new Map();
      for (const names of history) {
        const nodes = names.map((n) => node(`n${n}`, [`192.168.0.${n}`, `fd00::${n}`], []));
        const ids = assignNodeIds(nodes, previous);
        assert.equal(new Set(ids.values()).size, nodes.length);
        for (const [who, id] of ids) {
          assert.ok(id >= 1 && id <= MAX_NODE_ID);
          if (before.has(who)) assert.equal(id, before.get(who));
        }
        previous = new Map(nodes.flatMap((n) => n.internalIps.map((a) => [a.text, ids.get(n.name) ?? 0] as const)));
        before = ids;
      }
    }),
  );
});

test("every address of every node leads where it should", () => {
  const nodes = Array.from({ length: 50 }, (_, i) =>
    node(`n${i}`, [`192.168.0.${i + 1}`, `fd00::${i + 1}`], [`10.244.${i}.0/24`, `fd00:10:244:${i.toString(16)}::/64`]),
  );
  const [self] = nodes;
  assert.ok(self);
  const { ipcache, issues } = planTopology({
    self,
    nodes,
    clusterCidrs: [prefix("10.244.0.0/16"), prefix("fd00:10:244::/48")],
    excludeCidrs: [],
    localAddrs: [],
    tunnelFamily: 6,
    previousIds: new Map(),
  });
  assert.deepEqual(issues, []);
  const longest = (text: string) =>
    ipcache
      .filter((e) => prefixHas(e.prefix, addr(text)))
      .reduce<{ prefix: Prefix; tunnel: { text: string } | undefined } | undefined>(
        (best, e) => (best === undefined || e.prefix.length > best.prefix.length ? e : best),
        undefined,
      );
  assert.equal(longest("10.244.7.99")?.tunnel?.text, "fd00::8");
  assert.equal(longest("10.244.7.1")?.tunnel?.text, "fd00::8", "router address");
  assert.equal(longest("192.168.0.8")?.tunnel?.text, "fd00::8");
  assert.equal(longest("fd00:10:244:7::5")?.tunnel?.text, "fd00::8");
  assert.equal(longest("10.244.0.9")?.tunnel, undefined, "this node's own");
  assert.equal(longest("10.244.200.9")?.tunnel, undefined, "nobody's");
  assert.equal(longest("192.0.2.1"), undefined, "the world");
});

test("an excluded CIDR never takes a node out of the tunnel", () => {
  const self = node("a", ["192.168.0.1"], ["10.244.1.0/24"]);
  const { ipcache } = planTopology({
    self,
    nodes: [self, node("b", ["192.168.0.2"], ["10.244.2.0/24"])],
    clusterCidrs: [prefix("10.244.0.0/16")],
    excludeCidrs: [prefix("192.168.0.2/32"), prefix("10.244.2.0/24")],
    localAddrs: [addr("192.168.0.1")],
    tunnelFamily: 4,
    previousIds: new Map(),
  });
  for (const text of ["192.168.0.2/32", "10.244.2.0/24"])
    assert.equal(ipcache.find((e) => e.prefix.text === text)?.tunnel?.text, "192.168.0.2", text);
});

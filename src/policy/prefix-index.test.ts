import assert from "node:assert/strict";
import { test } from "node:test";
import { addr, familyBits } from "../net/addr.ts";
import { type Prefix, prefixCovers, prefixOf } from "../net/prefix.ts";
import { createPrefixIndex } from "./prefix-index.ts";
import { createRandom } from "./testing/random.ts";

test("prefixes that hold another are found, the longest first", () => {
  const r = createRandom(5);
  const addrs = [
    "0.0.0.0",
    "10.0.0.1",
    "10.0.0.64",
    "10.0.0.129",
    "10.0.0.130",
    "10.0.0.200",
    "10.1.2.3",
    "255.255.255.255",
    "::",
    "fd00::1",
    "fd00:0:0:1::ffff",
  ];
  const index = createPrefixIndex<string>();
  const model = new Map<string, Prefix>();
  const some = () => {
    const a = addr(r.pick(addrs));
    return prefixOf(a, r.below(familyBits(a.family) + 1));
  };
  for (let step = 0; step < 2000; step++) {
    const p = some();
    if (r.oneIn(3)) {
      index.delete(p);
      model.delete(p.text);
    } else {
      index.set(p, p.text);
      model.set(p.text, p);
    }
    assert.equal(index.size, model.size);
    assert.equal(index.get(p), model.get(p.text)?.text);
    const asked = some();
    const wanted = [...model.values()].filter((m) => prefixCovers(m, asked)).sort((a, b) => b.length - a.length);
    assert.deepEqual(
      [...index.covering(asked.addr, asked.length)].map(([, text]) => text),
      wanted.map((m) => m.text),
    );
    const inside = [...model.values()].filter((m) => prefixCovers(asked, m)).map((m) => m.text);
    assert.deepEqual(Array.from(index.within(asked), ([, text]) => text).sort(), inside.sort());
  }
  assert.deepEqual([...index.entries()].map(([, text]) => text).sort(), [...model.keys()].sort());
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError } from "../../kernel/kernel.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";

const node = () => new FakeNode();
const OK = { exitCode: 0, json: undefined };

test("DEL with all it may have, with an empty namespace, with none that exists, and without prevResult", () => {
  using n = node();
  const cases: Record<string, (c: string, result: object) => [object, Record<string, string>]> = {
    whole: (c, prevResult) => [{ prevResult }, n.env(c)],
    empty: (c, prevResult) => [{ prevResult }, { ...n.env(c), CNI_NETNS: "" }],
    bare: (c) => [{}, { ...n.env(c), CNI_NETNS: "" }],
    gone: (c) => {
      n.machine.removeNetns(`/run/netns/${c}`);
      return [{}, n.env(c)];
    },
  };
  for (const [name, make] of Object.entries(cases)) {
    const { json } = n.add(name);
    const [config, env] = make(name, json);
    for (let i = 0; i < 3; i++) assert.deepEqual(n.call("DEL", config, env), OK, name);
  }
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("DEL of what was never added succeeds", () => {
  using n = node();
  assert.deepEqual(n.call("DEL", {}, n.env("never")), OK);
});

test("DEL removes one interface of a container, not its other", () => {
  using n = node();
  n.add("a");
  n.add("a", {}, { CNI_IFNAME: "net1" });
  assert.deepEqual(n.call("DEL", {}, { ...n.env("a"), CNI_IFNAME: "eth0" }), OK);
  assert.deepEqual(
    n.ledger.endpoints().map((e) => e.ifname),
    ["net1"],
  );
});

test("a DEL that cannot finish says what is left, keeps the addresses, and the next one finishes", () => {
  using n = node();
  n.add("a");
  n.machine.failNext("deleteLink", new KernelError('delete link "x"', "EBUSY", 16));
  const { exitCode, json } = n.call("DEL", {}, n.env("a"));
  assert.deepEqual([exitCode, json.code], [1, 106]);
  assert.match(json.msg, /EBUSY/);
  assert.equal(n.leftovers().leases, 2);
  assert.equal(n.leftovers().entries, 0);
  assert.deepEqual(n.call("DEL", {}, n.env("a")), OK);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("what is gone already does not keep a DEL from succeeding", () => {
  using n = node();
  n.add("a");
  n.machine.failNext("deleteLink", new KernelError("delete", "ENODEV", 19));
  n.machine.failNext("deleteMapKeys", new KernelError("delete", "ENOENT", 2));
  assert.deepEqual(n.call("DEL", {}, n.env("a")), OK);
});

/** A container "a" that died, and came back under its name with another namespace; both results. */
function twoGenerations(n: FakeNode, newPath: string) {
  const old = n.add("a").json;
  n.machine.removeNetns("/run/netns/a");
  n.machine.addNetns(newPath);
  const young = n.call("ADD", {}, { ...n.env("a"), CNI_NETNS: newPath }).json;
  assert.notEqual(young.ips[0].address, old.ips[0].address);
  return { old, young };
}

test("a late DEL for an older generation leaves the newer one alone, however it names itself", () => {
  using n = node();
  const { old, young } = twoGenerations(n, "/run/netns/a2");
  // With the old result: its addresses are not the attachment's.
  assert.deepEqual(n.call("DEL", { prevResult: old }, { ...n.env("a"), CNI_NETNS: "" }), OK);
  // With the old path, gone: the attachment's is another, and alive.
  assert.deepEqual(n.call("DEL", {}, n.env("a")), OK);
  // With the old path, kept alive by something.
  n.machine.addNetns("/run/netns/a");
  assert.deepEqual(n.call("DEL", {}, n.env("a")), OK);
  assert.deepEqual(n.leftovers().leases, 2);
  assert.deepEqual(n.call("DEL", { prevResult: young }, { ...n.env("a"), CNI_NETNS: "/run/netns/a2" }), OK);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("a DEL that names nothing is for what there is", () => {
  using n = node();
  twoGenerations(n, "/run/netns/a2");
  assert.deepEqual(n.call("DEL", {}, { ...n.env("a"), CNI_NETNS: "" }), OK);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("a path that leads to another container's namespace now still deletes what was attached by it", () => {
  using n = node();
  n.add("a");
  n.machine.removeNetns("/run/netns/a");
  n.machine.addNetns("/run/netns/a");
  assert.deepEqual(n.call("DEL", {}, n.env("a")), OK);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("the same namespace by another path is the same attachment", () => {
  using n = node();
  n.add("a");
  n.machine.addNetns("/proc/42/ns/net", "/run/netns/a");
  assert.deepEqual(n.call("DEL", {}, { ...n.env("a"), CNI_NETNS: "/proc/42/ns/net" }), OK);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
});

test("a ledger that cannot be used refuses ADD and DEL with what to do, and VERSION works", () => {
  using n = node();
  n.ledger.exclusive(() => undefined);
  n.closeLedger();
  const broken = () => {
    throw Object.assign(new Error("not a LedgerError"), { code: "X" });
  };
  assert.equal(n.call("ADD", {}, n.env("a"), broken).json.code, 100);
  assert.equal(n.call("VERSION", {}, {}, broken).exitCode, 0);
});

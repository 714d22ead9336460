/**
 * Processes that die between any two steps. A mortal process works on the kernel and the ledger until its last step;
 * after that not one of its calls has an effect, as after `kill -9`. What comes next finds what it left.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { planEndpoint } from "../../plan/endpoint.ts";
import { isPodLink } from "../../plan/names.ts";
import { FakeNode, NOTHING_LEFT } from "./fake-node.ts";
import type { NodeContext } from "./node-context.ts";
import { sweep } from "./sweep.ts";

class Killed extends Error {}

/** Counts calls of an object's methods; from call number `lifetime` on all of them throw instead. */
function mortal<T extends object>(target: T, death: { steps: number; readonly lifetime: number }): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== "function") return value;
      // The lock is the kernel's: it falls by itself. What happens under it counts step by step.
      if (name === "exclusive" || name === "occupancy") return value.bind(object);
      return (...args: unknown[]) => {
        if (death.steps >= death.lifetime) throw new Killed();
        death.steps++;
        return value.apply(object, args);
      };
    },
  });
}

/** Runs one call in a process with so many steps to live. @returns whether it ended in time */
function live(
  n: FakeNode,
  lifetime: number,
  command: string,
  container: string,
  path = `/run/netns/${container}`,
): boolean {
  const death = { steps: 0, lifetime };
  const context = (): NodeContext => {
    const whole = n.context();
    return { ...whole, kernel: mortal(whole.kernel, death), ledger: mortal(whole.ledger, death) };
  };
  n.call(command, {}, { CNI_CONTAINERID: container, CNI_NETNS: path }, context);
  n.closeLedger();
  return death.steps < lifetime;
}

/** The three memories of a node agree: each attachment is whole, and nothing stands there without one. */
function assertAgreement(n: FakeNode): void {
  const kernel = createFakeKernel({ machine: n.machine });
  const endpoints = n.ledger.endpoints();
  for (const e of endpoints) assert.equal(e.state, "ready", `endpoint ${e.id} of "${e.containerId}"`);
  const links = kernel.links().filter((l) => isPodLink(l.name));
  assert.deepEqual(links.map((l) => l.name).sort(), endpoints.map((e) => e.hostIfname).sort());
  assert.deepEqual(
    links.filter((l) => !l.isUp),
    [],
  );
  const rows = endpoints.flatMap((e) => planEndpoint(e, { ingress: 1, egress: 1 })?.rows ?? []);
  const text = (r: { key: Uint8Array; value: Uint8Array }) => `${r.key} ${r.value}`;
  assert.deepEqual(kernel.mapRows("endpoints").map(text).sort(), rows.map(text).sort());
  const leased = n.ledger.leases().flatMap((l) => (l.endpoint === undefined ? [] : [`${l.endpoint} ${l.addr.text}`]));
  assert.deepEqual(leased.sort(), endpoints.flatMap((e) => e.addrs.map((a) => `${e.id} ${a.text}`)).sort());
  const attached = kernel.attachments().map((a) => a.link);
  assert.deepEqual(attached.sort(), endpoints.map((e) => e.hostIfname).sort());
}

/** Lets a call die at each of its steps in turn, on a fresh node each time; returns at how many it died. */
function atEveryStep(
  command: string,
  prepare: (n: FakeNode) => void,
  afterwards: (n: FakeNode, step: number) => void,
): number {
  for (let lifetime = 0; ; lifetime++) {
    using n = new FakeNode();
    n.machine.addNetns("/run/netns/a");
    n.machine.addNetns("/run/netns/b");
    prepare(n);
    const ended = live(n, lifetime, command, "a");
    afterwards(n, lifetime);
    if (ended) return lifetime;
    assert.ok(lifetime < 100, "the call never ends");
  }
}

const bystander = (n: FakeNode) => assert.equal(n.add("b").exitCode, 0);
const both = (n: FakeNode) => {
  bystander(n);
  assert.equal(n.add("a").exitCode, 0);
};

function end(n: FakeNode): void {
  for (const c of ["a", "b"]) assert.equal(n.call("DEL", {}, n.env(c)).exitCode, 0);
  assert.deepEqual(n.leftovers(), NOTHING_LEFT);
}

const RECOVERIES: Readonly<Record<string, (n: FakeNode) => void>> = {
  "the next sweep": (n) => assert.deepEqual(sweep(n.context()).failures, []),
  DEL: (n) => assert.equal(n.call("DEL", {}, n.env("a")).exitCode, 0),
  "DEL after the namespace went": (n) => {
    n.machine.removeNetns("/run/netns/a");
    assert.equal(n.call("DEL", {}, { ...n.env("a"), CNI_NETNS: "" }).exitCode, 0);
  },
  GC: (n) => {
    const wanted = [{ containerID: "b", ifname: "eth0" }];
    assert.equal(n.call("GC", { "cni.dev/valid-attachments": wanted }).exitCode, 0);
  },
  "the same call again, by the offline program": (n) => {
    const again = () => ({ ...n.context(), isRepeated: true });
    assert.equal(n.call("ADD", {}, n.env("a"), again).exitCode, 0);
  },
};

for (const [name, recover] of Object.entries(RECOVERIES)) {
  test(`ADD that dies at any step is mended by ${name}`, () => {
    const steps = atEveryStep("ADD", bystander, (n) => {
      recover(n);
      assertAgreement(n);
      assert.ok(n.ledger.find("b", "eth0") !== undefined);
      end(n);
    });
    assert.ok(steps >= 8, `${steps} steps`);
  });

  test(`DEL that dies at any step is mended by ${name}`, () => {
    const steps = atEveryStep("DEL", both, (n) => {
      recover(n);
      assertAgreement(n);
      end(n);
    });
    assert.ok(steps >= 6, `${steps} steps`);
  });
}

test("a reboot leaves nothing, wherever it came", () => {
  atEveryStep("ADD", bystander, (n) => {
    // Namespaces, devices and pins go with the boot; the file stays where /run is a disk.
    using after = new FakeNode();
    after.machine.addNetns("/run/netns/a");
    n.closeLedger();
    n.bootId = "boot-2";
    const kernel = createFakeKernel({ machine: after.machine });
    const context = { ...n.context(() => kernel) };
    assert.deepEqual(n.ledger.endpoints(), []);
    assert.deepEqual(sweep(context), { removed: [], adopted: [], strayLinks: [], strayEntries: 0, failures: [] });
    assert.deepEqual(n.ledger.leases(), []);
  });
});

test("any life with any deaths ends in agreement", () => {
  const container = fc.constantFrom("a", "b", "c", "d");
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("ADD", "DEL", "GC"), container, lifetime: fc.nat(40) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("netns", "sweep"), container, lifetime: fc.constant(0) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      using n = new FakeNode();
      for (const c of ["a", "b", "c", "d"]) n.machine.addNetns(`/run/netns/${c}`);
      for (const s of steps) {
        if (s.kind === "netns") {
          n.machine.removeNetns(`/run/netns/${s.container}`);
          n.machine.addNetns(`/run/netns/${s.container}`);
        } else if (s.kind === "sweep") sweep(n.context());
        else live(n, s.lifetime, s.kind, s.container);
        n.clockMs += 5_000;
      }
      sweep(n.context());
      assertAgreement(n);
      for (const c of ["a", "b", "c", "d"]) assert.equal(n.call("DEL", {}, n.env(c)).exitCode, 0);
      assert.deepEqual(n.leftovers(), NOTHING_LEFT);
    }),
    { numRuns: 40 },
  );
});

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, afterEach, test } from "node:test";
import fc from "fast-check";
import { allocate } from "../ipam/allocate.ts";
import { makePool } from "../ipam/pool.ts";
import { addr } from "../net/addr.ts";
import { mac } from "../net/mac.ts";
import { prefix } from "../net/prefix.ts";
import { LedgerError } from "./error.ts";
import type { Ledger, NewEndpoint } from "./ledger.ts";
import { openLedger } from "./open.ts";

const POOLS = [makePool("v4", prefix("10.244.1.0/28")), makePool("v6", prefix("fd00:10:244:1::/64"))];
const COOL_DOWN_MS = 1000;
const PAGE_BYTES = 1024;
let clockMs = 10_000;

const stack = new DisposableStack();
const directories: string[] = [];
after(() => stack.dispose());
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "twill-ledger-"));
  directories.push(directory);
  return join(directory, "ledger.db");
}

function open(path = newPath(), bootId = "boot-1"): Ledger {
  const options = { path, bootId, coolDownMs: COOL_DOWN_MS, lockTimeoutMs: 50, monotonicMs: () => clockMs };
  return stack.use(openLedger(options));
}

function newEndpoint(containerId: string, ifname = "eth0"): NewEndpoint {
  return {
    network: "twill",
    containerId,
    ifname,
    netnsPath: `/run/netns/${containerId}`,
    netnsId: "4:4026532000",
    hostIfname: `twl${containerId}`,
    mac: mac("02:00:00:00:00:01"),
    mtuBytes: 1450,
    download: undefined,
    upload: { rateBits: 1_000_000, burstBits: 0 },
    hostPorts: [{ hostPort: 8080, containerPort: 80, protocol: 6, hostIp: addr("192.0.2.1") }],
    podNamespace: "default",
    podName: containerId,
    podUid: undefined,
    createdAtMs: 1,
  };
}

function begin(ledger: Ledger, containerId: string, statics: readonly string[] = []) {
  const request = { pools: POOLS, statics: statics.map(addr), rangeSets: [] };
  return ledger.begin(newEndpoint(containerId), (o) => allocate(request, o));
}

function attach(ledger: Ledger, containerId: string, statics: readonly string[] = []): number {
  const r = begin(ledger, containerId, statics);
  if (!r.ok) assert.fail(r.error.message);
  ledger.commit(r.value.id, 7);
  return r.value.id;
}

const textsOf = (ledger: Ledger, id: number) => ledger.endpoint(id)?.addrs.map((a) => a.text);

test("an attachment is pending, then ready, then gone; its values come back as they went in", () => {
  const ledger = open();
  const r = begin(ledger, "a");
  assert.ok(r.ok);
  const id = r.value.id;
  assert.deepEqual(ledger.find("a", "eth0"), r.value);
  assert.deepEqual(r.value, {
    ...newEndpoint("a"),
    id,
    addrs: [addr("10.244.1.2"), addr("fd00:10:244:1::2")],
    hostIfindex: undefined,
    entryIfindex: undefined,
    state: "pending",
  });
  ledger.commit(id, 12);
  assert.deepEqual(ledger.endpoints(), [{ ...r.value, state: "ready", hostIfindex: 12, entryIfindex: 12 }]);
  ledger.markDeleting(id);
  assert.equal(ledger.endpoint(id)?.state, "deleting");
  ledger.remove(id);
  assert.equal(ledger.endpoint(id), undefined);
  assert.deepEqual(ledger.endpoints(), []);
});

test("a released address cools down, then is free", () => {
  const ledger = open();
  ledger.remove(attach(ledger, "a"));
  assert.deepEqual(ledger.occupancy().use(addr("10.244.1.2")), { kind: "cooling" });
  assert.equal(ledger.figures(POOLS[0] ?? assert.fail()).cooling, 1n);
  assert.deepEqual(textsOf(ledger, attach(ledger, "b")), ["10.244.1.3", "fd00:10:244:1::3"]);
  clockMs += COOL_DOWN_MS;
  assert.deepEqual(ledger.occupancy().use(addr("10.244.1.2")), { kind: "free" });
  assert.equal(ledger.figures(POOLS[0] ?? assert.fail()).cooling, 0n);
});

test("cooling leases that have cooled down are swept by the next release", () => {
  const ledger = open();
  ledger.remove(attach(ledger, "a"));
  clockMs += COOL_DOWN_MS;
  ledger.remove(attach(ledger, "b"));
  assert.deepEqual(
    ledger.leases().map((l) => [l.addr.text, l.endpoint]),
    [
      ["10.244.1.3", undefined],
      ["fd00:10:244:1::3", undefined],
    ],
  );
});

test("a late delete of an older generation touches nothing of the newer one", () => {
  const ledger = open();
  const old = attach(ledger, "a", ["10.244.1.9"]);
  ledger.remove(old);
  const young = attach(ledger, "a", ["10.244.1.9"]);
  assert.ok(young > old);
  ledger.markDeleting(old);
  ledger.remove(old);
  assert.equal(ledger.endpoint(young)?.state, "ready");
  assert.deepEqual(textsOf(ledger, young)?.[0], "10.244.1.9");
});

test("ids are never given out again, also by another process after a restart", () => {
  const path = newPath();
  const first = open(path);
  const id = attach(first, "a");
  first.remove(id);
  first[Symbol.dispose]();
  assert.ok(attach(open(path), "b") > id);
});

test("exhaustion writes nothing and says the figures", () => {
  const ledger = open();
  for (let i = 0; i < 13; i++) attach(ledger, `c${i}`);
  const before = ledger.revision();
  const r = begin(ledger, "one-too-many");
  assert.ok(!r.ok);
  assert.match(r.error.message, /"v4" \(13 usable: 13 in use, 0 cooling down, 0 free\)/);
  assert.equal(ledger.revision(), before);
  assert.equal(ledger.find("one-too-many", "eth0"), undefined);
});

test("under pressure the address that rested longest is taken, and that is counted", () => {
  const ledger = open();
  const ids = Array.from({ length: 13 }, (_, i) => attach(ledger, `c${i}`));
  clockMs += 1;
  ledger.remove(ids[5] ?? 0);
  clockMs += 1;
  ledger.remove(ids[2] ?? 0);
  assert.equal(ledger.earlyReuses(), 0);
  assert.equal(textsOf(ledger, attach(ledger, "next"))?.[0], "10.244.1.7");
  assert.equal(ledger.earlyReuses(), 1);
});

test("an address that cools off while one is looked for is found", () => {
  const ledger = open();
  for (let i = 0; i < 13; i++) attach(ledger, `pod-${i}`);
  const id = ledger.find("pod-0", "eth0")?.id ?? 0;
  const [rested] = textsOf(ledger, id) ?? [];
  ledger.remove(id);
  // The last moment at which it cools, and the next one before cooling addresses are looked through.
  clockMs += COOL_DOWN_MS - 1;
  const r = ledger.begin(newEndpoint("next"), (occupancy) => {
    const coolest: typeof occupancy.coolest = (range) => {
      clockMs += 1;
      return occupancy.coolest(range);
    };
    return allocate({ pools: POOLS, statics: [], rangeSets: [] }, { ...occupancy, coolest });
  });
  if (!r.ok) assert.fail(r.error.message);
  assert.equal(r.value.addrs[0]?.text, rested);
});

test("a container's interface is recorded once", () => {
  const ledger = open();
  attach(ledger, "a");
  assert.throws(() => begin(ledger, "a"), LedgerError);
  assert.equal(ledger.endpoints().length, 1);
  assert.equal(ledger.leases().length, 2);
});

test("a reboot removes what earlier boots held", () => {
  const path = newPath();
  const before = open(path);
  attach(before, "a");
  before.remove(attach(before, "b"));
  before[Symbol.dispose]();
  const after = open(path, "boot-2");
  assert.equal(after.removedOnOpen, 1);
  assert.deepEqual([after.endpoints(), after.leases()], [[], []]);
  assert.equal(open(path, "boot-2").removedOnOpen, 0);
});

test("two processes see each other's leases", () => {
  const path = newPath();
  const one = open(path);
  const two = open(path);
  const a = attach(one, "a");
  const b = attach(two, "b");
  assert.deepEqual(textsOf(one, b), ["10.244.1.3", "fd00:10:244:1::3"]);
  two.remove(a);
  assert.equal(one.endpoint(a), undefined);
  assert.equal(one.revision(), two.revision());
});

test("the operation lock nests, shuts others out, and is given back after a failure", () => {
  const path = newPath();
  const one = open(path);
  const two = open(path);
  one.exclusive(() =>
    one.exclusive(() => {
      assert.throws(() => two.exclusive(() => assert.fail("entered")), { code: "LEDGER_BUSY" });
    }),
  );
  assert.throws(() => one.exclusive(() => assert.fail("inner")), /inner/);
  assert.equal(
    two.exclusive(() => "free"),
    "free",
  );
});

test("the files are for their owner only", () => {
  const path = newPath();
  attach(open(path), "a");
  for (const suffix of ["", "-wal", "-shm", ".lock"]) assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
});

/** Opens and returns the refusal; the file must stay as it is, and nothing may lie beside it but the lock. */
function refusal(path: string): LedgerError {
  const before = readFileSync(path);
  let caught: unknown;
  try {
    open(path);
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof LedgerError, "opening was expected to be refused");
  assert.deepEqual(readFileSync(path), before, "the refused file was changed");
  for (const suffix of ["-wal", "-journal"]) assert.equal(existsSync(path + suffix), false, `${suffix} was left`);
  return caught;
}

test("a newer layout is refused and left alone", () => {
  const path = newPath();
  const ledger = open(path);
  attach(ledger, "a");
  ledger[Symbol.dispose]();
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 3");
  db.close();
  const error = refusal(path);
  assert.equal(error.code, "LEDGER_NEWER");
  assert.match(error.message, /layout is version 3, and this Twill knows 2\. Start the newer Twill/);
});

test("a layout of version 1 becomes this one, with its attachments", () => {
  const path = newPath();
  const ledger = open(path);
  const id = attach(ledger, "a");
  ledger[Symbol.dispose]();
  const db = new DatabaseSync(path);
  db.exec(`ALTER TABLE endpoints DROP COLUMN extras; ALTER TABLE endpoints DROP COLUMN entry_ifindex;
    ALTER TABLE endpoints ADD COLUMN shaping INTEGER NOT NULL DEFAULT 3 CHECK (shaping BETWEEN 0 AND 3);
    PRAGMA user_version = 1`);
  db.close();
  const now = open(path).endpoint(id);
  assert.deepEqual([now?.containerId, now?.state, now?.upload, now?.hostPorts], ["a", "ready", undefined, []]);
  assert.equal(now?.entryIfindex, now?.hostIfindex);
  assert.equal(attach(open(path), "b"), id + 2);
});

test("limits, host ports and the device that programs see a pod by are remembered", () => {
  const path = newPath();
  const ledger = open(path);
  const id = attach(ledger, "a");
  ledger.setEntry(id, 77);
  ledger[Symbol.dispose]();
  const e = open(path).endpoint(id);
  assert.deepEqual([e?.download, e?.upload, e?.entryIfindex], [undefined, { rateBits: 1_000_000, burstBits: 0 }, 77]);
  assert.deepEqual(
    e?.hostPorts.map((p) => ({ ...p, hostIp: p.hostIp?.text })),
    [{ hostPort: 8080, containerPort: 80, protocol: 6, hostIp: "192.0.2.1" }],
  );
});

test("another program's database is refused and left alone", () => {
  const path = newPath();
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE t (x)");
  db.close();
  assert.match(refusal(path).message, /another program's database\. Nothing was changed in it\. Drain the node/);
});

test("a file that is no database is refused and left alone", () => {
  const path = newPath();
  writeFileSync(path, "not a database, but long enough to be looked at as one: ".repeat(40));
  assert.equal(refusal(path).code, "LEDGER_DAMAGED");
});

test("a damaged ledger is refused when opened, wherever the damage is, or works", () => {
  const path = newPath();
  const ledger = open(path);
  for (let i = 0; i < 12; i++) attach(ledger, `c${i}`);
  ledger[Symbol.dispose]();
  const whole = readFileSync(path);
  let refusals = 0;
  for (let page = 0; page < whole.length / PAGE_BYTES; page++) {
    const broken = newPath();
    writeFileSync(
      broken,
      Buffer.concat([
        whole.subarray(0, page * PAGE_BYTES),
        Buffer.alloc(PAGE_BYTES, 0xa5),
        whole.subarray((page + 1) * PAGE_BYTES),
      ]),
    );
    assert.equal(refusal(broken).code, "LEDGER_DAMAGED", `page ${page}`);
    refusals++;
  }
  assert.ok(refusals > 3);
  const short = newPath();
  writeFileSync(short, whole.subarray(0, whole.length - PAGE_BYTES));
  assert.equal(refusal(short).code, "LEDGER_DAMAGED");
});

test("an empty file, as a process leaves that died while making it, is filled", () => {
  const path = newPath();
  writeFileSync(path, "");
  attach(open(path), "a");
});

test("a directory that cannot be made is an I/O refusal", () => {
  const file = newPath();
  writeFileSync(file, "");
  assert.throws(() => open(join(file, "below", "ledger.db")), { code: "LEDGER_IO" });
});

test("any life of a ledger keeps each address with one holder, and two processes agree", () => {
  const step = fc.record({
    kind: fc.constantFrom("attach", "begin", "remove", "late", "wait", "reopen"),
    n: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const path = newPath();
      let ledger = open(path);
      const live = new Map<string, number>();
      const gone: number[] = [];
      let serial = 0;
      for (const s of steps) {
        if (s.kind === "attach" || s.kind === "begin") {
          const name = `c${serial++}`;
          const r = begin(ledger, name);
          assert.equal(r.ok, live.size < 13);
          if (!r.ok) continue;
          if (s.kind === "attach") ledger.commit(r.value.id, 1);
          live.set(name, r.value.id);
        } else if (s.kind === "remove") {
          const [name, id] = [...live][s.n % Math.max(live.size, 1)] ?? [];
          if (name === undefined || id === undefined) continue;
          ledger.remove(id);
          live.delete(name);
          gone.push(id);
        } else if (s.kind === "late") ledger.remove(gone[s.n % Math.max(gone.length, 1)] ?? 999);
        else if (s.kind === "wait") clockMs += s.n * 100;
        else {
          ledger[Symbol.dispose]();
          ledger = open(path);
        }
      }
      const endpoints = ledger.endpoints();
      assert.deepEqual(
        endpoints.map((e) => [e.containerId, e.id]),
        [...live],
      );
      const texts = endpoints.flatMap((e) => e.addrs.map((a) => a.text));
      assert.equal(texts.length, 2 * live.size);
      assert.equal(new Set(texts).size, texts.length);
      const held = ledger.leases().filter((l) => l.endpoint !== undefined);
      assert.deepEqual(held.map((l) => l.addr.text).sort(), texts.sort());
      ledger[Symbol.dispose]();
    }),
    { numRuns: 25 },
  );
});

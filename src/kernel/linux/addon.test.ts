/** Misuse of the addon: a wrong argument throws and changes nothing, whatever it is. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadAddon, type MapHandle, type ObjectHandle, type RingHandle } from "./addon.ts";
import { setLoopbackUp } from "./pod-link.ts";
import { makeNetns, removeNetns, testObjects, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
const HASH = 1;
const ARRAY = 2;
const PERCPU_ARRAY = 6;
const RINGBUF = 27;
const DGRAM = 2;

function openFds(): string[] {
  return readdirSync("/proc/self/fd").sort();
}

function hash(keyBytes = 4, valueBytes = 8, maxEntries = 16): MapHandle {
  return loadAddon().mapCreate(HASH, keyBytes, valueBytes, maxEntries, 0, "test");
}

describe("arguments", { skip }, () => {
  it("throws for every function that is called with nothing, or with what it is not for", () => {
    const addon = loadAddon() as unknown as Record<string, (...args: unknown[]) => unknown>;
    const names = Object.keys(addon);
    assert.ok(names.length > 50, `only ${names.length} functions`);
    for (const name of names) {
      const call = addon[name];
      assert.throws(() => call?.(), Error, name);
      for (const wrong of [{}, null, "x".repeat(5000), -1, 1.5, Number.NaN, Symbol("x"), [], 2 ** 40])
        assert.throws(() => call?.(wrong, wrong, wrong, wrong, wrong, wrong), Error, name);
    }
  });

  it("survives any mixture of arguments", () => {
    const addon = loadAddon() as unknown as Record<string, (...args: unknown[]) => unknown>;
    // Those that could do what they are told with numbers alone: change namespaces, mounts or open descriptors.
    const unsafe = new Set(["close", "unshare", "setns", "mount", "umount", "bindPacket", "pollStart", "setOption"]);
    const names = Object.keys(addon).filter((n) => !unsafe.has(n));
    const before = openFds().length;
    const argument = fc.oneof(
      fc.constantFrom(undefined, null, true, {}, [], "lo", "", "a\0b", -1, 1e9, 4294967295, hash(), new Uint8Array(4)),
      fc.uint8Array({ maxLength: 64 }),
      fc.integer({ min: 100000, max: 200000 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(argument, { maxLength: 6 }), (name, args) => {
        try {
          addon[name]?.(...args);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 3000 },
    );
    assert.ok(openFds().length < before + 3000);
  });

  it("takes a handle only for what it is", () => {
    const addon = loadAddon();
    const map = hash();
    assert.throws(() => addon.ringDrain(map as unknown as RingHandle, 100), TypeError);
    assert.throws(() => addon.objectLoad(map as unknown as ObjectHandle), TypeError);
    const disguised = Object.create(map) as MapHandle;
    assert.throws(() => addon.mapInfo(disguised), TypeError);
    addon.mapClose(map);
  });
});

describe("maps", { skip }, () => {
  it("throws for every wrong length and leaves the map as it was", () => {
    const addon = loadAddon();
    const map = hash(4, 8);
    const [key, value] = [Uint8Array.of(1, 2, 3, 4), new Uint8Array(8).fill(7)];
    addon.mapPut(map, key, value);
    for (let length = 0; length <= 24; length++) {
      const bytes = new Uint8Array(length).fill(9);
      if (length !== 4) {
        assert.throws(() => addon.mapGet(map, bytes), RangeError);
        assert.throws(() => addon.mapPut(map, bytes, value), RangeError);
        assert.throws(() => addon.mapDelete(map, bytes), RangeError);
        assert.throws(() => addon.mapNextKey(map, bytes), RangeError);
        assert.throws(() => addon.mapGetBatch(map, bytes, 4), RangeError);
      }
      if (length !== 8) assert.throws(() => addon.mapPut(map, key, bytes), RangeError);
      if (length !== 8) assert.throws(() => addon.mapPutBatch(map, bytes, new Uint8Array(16), 2), RangeError);
      if (length !== 16) assert.throws(() => addon.mapPutBatch(map, new Uint8Array(8), bytes, 2), RangeError);
      if (length !== 12) assert.throws(() => addon.mapDeleteBatch(map, bytes, 3), RangeError);
    }
    for (const count of [0, -1, 1 << 30]) {
      assert.throws(() => addon.mapGetBatch(map, undefined, count), RangeError);
      assert.throws(() => addon.mapPutBatch(map, new Uint8Array(0), new Uint8Array(0), count), RangeError);
    }
    assert.equal(addon.mapCount(map), 1);
    assert.deepEqual([...(addon.mapGet(map, key) ?? [])], [...value]);
    addon.mapClose(map);
  });

  it("throws EBADF for a closed map, however often it is closed", () => {
    const addon = loadAddon();
    const map = hash();
    addon.mapClose(map);
    addon.mapClose(map);
    assert.throws(() => addon.mapGet(map, new Uint8Array(4)), { code: "EBADF" });
    assert.throws(() => addon.mapInfo(map), { code: "EBADF" });
  });

  it("gives one part for each possible CPU of a per-CPU value", () => {
    const addon = loadAddon();
    const map = addon.mapCreate(PERCPU_ARRAY, 4, 12, 2, 0, "percpu");
    const { valueBytes, wireValueBytes } = addon.mapInfo(map);
    assert.equal(valueBytes, 12);
    assert.ok(wireValueBytes >= 16 && wireValueBytes % 16 === 0);
    assert.equal(addon.mapGet(map, new Uint8Array(4))?.length, wireValueBytes);
    assert.throws(() => addon.mapPut(map, new Uint8Array(4), new Uint8Array(12)), RangeError);
    assert.equal(addon.mapCount(map), 2);
    addon.mapClose(map);
  });

  it("says how far a batch came", () => {
    const addon = loadAddon();
    const map = hash(4, 4, 3);
    const keys = Uint8Array.from([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]);
    assert.deepEqual(addon.mapPutBatch(map, keys, keys, 4), { done: 3, errno: 7 });
    assert.deepEqual(addon.mapDeleteBatch(map, keys, 4), { done: 3, errno: 2 });
    assert.deepEqual(addon.mapDeleteBatch(map, keys, 4), { done: 0, errno: 2 });
    const array = addon.mapCreate(ARRAY, 4, 4, 4, 0, "array");
    assert.equal(addon.mapDeleteBatch(array, keys, 4).done, 0);
    for (const open of [map, array]) addon.mapClose(open);
  });

  it("refuses descriptors of another kind", () => {
    const addon = loadAddon();
    const socket = addon.socket(undefined, 2, DGRAM, 0);
    for (const call of ["mapAdopt", "ringOpen", "progInfo", "linkInfo"] as const)
      assert.throws(() => addon[call](socket), { code: "EINVAL" }, call);
    addon.close(socket);
    for (const call of ["mapAdopt", "progInfo", "linkInfo", "close", "dupFd"] as const)
      assert.throws(() => addon[call](socket), { code: "EBADF" }, call);
  });
});

describe("rings", { skip }, () => {
  it("is empty, drains nothing, and is closed twice without harm", () => {
    const addon = loadAddon();
    const map = addon.mapCreate(RINGBUF, 0, 0, 4096, 0, "ring");
    const ring = addon.ringOpen(addon.mapInfo(map).fd);
    assert.equal(addon.ringDrain(ring, 4096).length, 0);
    assert.equal(addon.ringPending(ring), 0);
    addon.ringClose(ring);
    addon.ringClose(ring);
    assert.throws(() => addon.ringDrain(ring, 4096), { code: "EBADF" });
    addon.mapClose(map);
  });
});

describe("objects", { skip }, () => {
  it("says what is wrong with bytes that are no object, and leaks nothing", () => {
    const addon = loadAddon();
    const before = openFds();
    assert.throws(() => addon.objectOpen(new Uint8Array(0), "test"), Error);
    assert.throws(() => addon.objectOpen(new Uint8Array(4096), "test"), /not a proper ELF object/);
    assert.deepEqual(openFds(), before);
  });

  it("refuses to change an object that is loaded or closed", () => {
    const addon = loadAddon();
    const before = openFds();
    const object = addon.objectOpen(testObjects()[0], "test");
    assert.throws(() => addon.objectResize(object, "nope", 1), { code: "ENOENT" });
    addon.objectLoad(object);
    assert.throws(() => addon.objectLoad(object), { code: "EBUSY" });
    assert.throws(() => addon.objectResize(object, "nodes", 1), { code: "EBUSY" });
    addon.objectClose(object);
    addon.objectClose(object);
    assert.throws(() => addon.objectPrograms(object), { code: "EBADF" });
    assert.deepEqual(openFds(), before);
  });
});

describe("namespaces", { skip }, () => {
  it("comes back from a namespace, also when the function throws", () => {
    const addon = loadAddon();
    const netns = makeNetns();
    const home = addon.netnsId("/proc/thread-self/ns/net");
    const there = addon.withNetns(netns, () => addon.netnsId("/proc/thread-self/ns/net"));
    assert.equal(there, addon.netnsId(netns));
    assert.notEqual(there, home);
    const failure = new Error("inside");
    assert.throws(
      () =>
        addon.withNetns(netns, () => {
          throw failure;
        }),
      (error) => error === failure,
    );
    assert.throws(() => addon.withNetns(netns, async () => undefined), TypeError);
    assert.equal(addon.netnsId("/proc/thread-self/ns/net"), home);
    removeNetns(netns);
  });

  it("takes for a namespace only what is one", () => {
    const addon = loadAddon();
    const directory = mkdtempSync(join(tmpdir(), "twill-netns-"));
    const file = join(directory, "file");
    writeFileSync(file, "");
    for (const path of [file, directory, join(directory, "none"), join(file, "below"), "/proc/self/ns/mnt"])
      assert.equal(addon.netnsId(path), undefined, path);
    assert.throws(() => addon.withNetns(file, () => 1), { code: "EINVAL" });
    assert.throws(() => addon.netlinkOpen("/proc/self/ns/mnt", 0, 0), { code: "EINVAL" });
    assert.throws(() => addon.socket(join(directory, "none"), 2, DGRAM, 0), { code: "ENOENT" });
    rmSync(directory, { recursive: true });
  });
});

describe("sockets and the event loop", { skip }, () => {
  it("stays in the namespace in which it was made, and tells of what arrives", async () => {
    const addon = loadAddon();
    const netns = makeNetns();
    const control = addon.netlinkOpen(netns, 0, 0);
    assert.equal(addon.ifIndex(control, "lo"), 1);
    assert.equal(addon.ifName(control, 1), "lo");
    assert.equal(addon.ifIndex(control, "nope"), 0);
    assert.equal(addon.ifName(control, 4711), undefined);
    setLoopbackUp(netns);
    const socket = addon.socket(netns, 2, DGRAM, 0);
    addon.bind(socket, "127.0.0.1", 0);
    const { port } = addon.socketName(socket);
    assert.equal(addon.receive(socket), undefined);
    const received = await new Promise<string>((resolve) => {
      const poll = addon.pollStart(socket, 1, (errno, events) => {
        const datagram = addon.receive(socket);
        addon.pollStop(poll);
        addon.pollStop(poll);
        resolve(`${errno} ${events} ${datagram?.host} ${datagram?.data}`);
      });
      addon.send(socket, Buffer.from("hello"), "127.0.0.1", port);
    });
    assert.equal(received, "0 1 127.0.0.1 hello");
    for (const fd of [socket, control]) addon.close(fd);
    removeNetns(netns);
  });

  it("refuses hosts that are no address and ports that are none", () => {
    const addon = loadAddon();
    const socket = addon.socket(undefined, 2, DGRAM, 0);
    for (const [host, port] of [
      ["localhost", 1],
      ["10.0.0.256", 1],
      ["", 1],
      ["127.0.0.1", 65536],
      ["127.0.0.1", -1],
    ] as const)
      assert.throws(() => addon.bind(socket, host, port), RangeError);
    assert.throws(() => addon.connect(socket, "fe80::1%nope", 1), { code: "ENODEV" });
    addon.close(socket);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_ALIAS_BYTES } from "../../kernel/kernel.ts";
import { type NotedEndpoint, noteOf, readNote } from "./link-note.ts";

const POD: NotedEndpoint = {
  network: "twill",
  containerId: "c".repeat(64),
  ifname: "eth0",
  netnsPath: "/var/run/netns/cni-01234567-89ab-cdef-0123-456789abcdef",
  download: undefined,
  upload: { rateBits: 1_000_000, burstBits: 80_000 },
  hostPorts: [],
  podNamespace: "shop",
  podName: "web-6f7b9c8d5-x2x4z",
  podUid: "01234567-89ab-cdef-0123-456789abcdef",
};

test("what is noted is read again", () => {
  assert.equal(
    noteOf(POD),
    `twill/1 twill ${POD.containerId} eth0 ${POD.netnsPath} {"upload":[1000000,80000],"ports":[]} shop web-6f7b9c8d5-x2x4z ${POD.podUid}`,
  );
  const podless = { ...POD, podNamespace: undefined, podName: undefined, podUid: undefined };
  for (const e of [POD, podless]) assert.deepEqual(readNote(noteOf(e) ?? ""), e);
});

test("whatever the names, a note fits and says the same, or there is none", () => {
  const name = fc.string({ minLength: 1, maxLength: 90, unit: "grapheme" });
  const optional = fc.option(name, { nil: undefined });
  const any = fc.record({
    network: name,
    containerId: name,
    ifname: name,
    netnsPath: name,
    download: fc.constant(undefined),
    upload: fc.option(fc.record({ rateBits: fc.nat(), burstBits: fc.nat() }, { noNullPrototype: true }), {
      nil: undefined,
    }),
    hostPorts: fc.constant([]),
    podNamespace: optional,
    podName: optional,
    podUid: optional,
  });
  fc.assert(
    fc.property(any, (e) => {
      const note = noteOf(e);
      if (note === undefined) return;
      assert.ok(note.length <= MAX_ALIAS_BYTES && /^[!-~ ]*$/.test(note), note);
      const { podUid, ...rest } = readNote(note) ?? assert.fail(note);
      assert.deepEqual({ ...rest, podUid: podUid ?? e.podUid }, { ...e });
    }),
  );
});

test("where the room is small ids are packed; a longer name costs the pod's uid, one that is longer still the note", () => {
  const long = { ...POD, containerId: "0123456789abcdef".repeat(4), upload: undefined, podName: "p".repeat(90) };
  const note = noteOf(long) ?? "";
  assert.match(note, /^twill\/2 twill ~h[\w-]{43} eth0 \/var\/run\/netns\/cni-~u[\w-]{22} {2}shop p+ ~u[\w-]{22}$/);
  assert.deepEqual(readNote(note), long);
  const labels = { ...long, podNamespace: "n".repeat(63), podName: "p".repeat(63) };
  assert.deepEqual(readNote(noteOf(labels) ?? ""), { ...labels, podUid: undefined }, "two names of 63 characters fit");
  assert.equal(noteOf({ ...long, podName: "p".repeat(200) }), undefined);
});

test("what looks like something packed is read as it was", () => {
  const odd = { ...POD, netnsPath: `/run/~u${"A".repeat(22)}`, podName: `~h${"b".repeat(60)}`, upload: undefined };
  const packed = noteOf({ ...odd, containerId: "0123456789abcdef".repeat(4), podNamespace: "n".repeat(50) });
  assert.match(packed ?? "", /^twill\/2 /);
  assert.deepEqual([readNote(packed ?? "")?.netnsPath, readNote(packed ?? "")?.podName], [odd.netnsPath, odd.podName]);
});

test("what is no note is not read as one", () => {
  const good = noteOf(POD) ?? "";
  const damaged = [
    "",
    "uplink to the rack",
    good.replace("twill/1", "twill/3"),
    good.replace(" eth0 ", "  "),
    good.replace("[]}", "[]"),
    good.replace(/{.*}/, "null"),
    good.split(" ").slice(0, 6).join(" "),
    `${good} more`,
    good.replace("shop", "%zz"),
  ];
  for (const text of damaged) assert.equal(readNote(text), undefined, text);
});

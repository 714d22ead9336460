/** Behaviour of programs and their attachments. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { mac } from "../../net/mac.ts";
import type { AttachRow } from "../../plan/rows.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

const INGRESS: AttachRow = { link: "twill1", direction: "ingress", program: "from_host" };
const EGRESS: AttachRow = { link: "twill0", direction: "egress", program: "from_pod" };

function load(bench: KernelBench, kernel: Kernel, version: 0 | 1, sizes: readonly [string, number][] = []) {
  return kernel.loadPrograms(bench.objects[version], {
    pinDirectory: bench.pinDirectory,
    maxEntries: new Map(sizes),
  });
}

function putPair(kernel: Kernel): void {
  const row = { kind: "veth", name: "twill0", peer: "twill1", mtuBytes: 1450 } as const;
  kernel.putLink({ ...row, mac: mac("ee:ee:ee:ee:ee:ee"), peerMac: mac("ee:ee:ee:ee:ee:e1") });
}

function shown(kernel: Kernel): string[] {
  return kernel
    .attachments()
    .map((a) => `${a.link} ${a.direction} ${a.program}${a.isCurrent ? "" : " (older)"}`)
    .sort();
}

/** Tests of programs. */
export function programTests(open: () => KernelBench): void {
  it("loads once: the same object again, here or after a restart, is the same", () => {
    using bench = open();
    const first = load(bench, bench.kernel, 0);
    assert.equal(first.isSame, false);
    assert.match(first.tag, /^[0-9a-f]{64}$/);
    assert.deepEqual(load(bench, bench.kernel, 0), { tag: first.tag, isSame: true });
    assert.deepEqual(load(bench, bench.reopen(), 0), { tag: first.tag, isSame: true });
    const other = load(bench, bench.kernel, 1);
    assert.equal(other.isSame, false);
    assert.notEqual(other.tag, first.tag);
  });

  it("refuses a size for a map that the object does not have", () => {
    using bench = open();
    assert.throws(() => load(bench, bench.kernel, 0, [["no_such_map", 1]]), { name: "KernelError", code: "ENOENT" });
  });

  it("attaches, attaches again, and detaches", () => {
    using bench = open();
    const { kernel } = bench;
    assert.deepEqual(kernel.attachments(), []);
    putPair(kernel);
    assert.throws(() => kernel.putAttachment(INGRESS), { code: "ENOENT" }, "nothing is loaded");
    load(bench, kernel, 0);
    for (const row of [INGRESS, EGRESS, INGRESS]) kernel.putAttachment(row);
    assert.deepEqual(shown(kernel), ["twill0 egress from_pod", "twill1 ingress from_host"]);
    kernel.deleteAttachment(EGRESS);
    kernel.deleteAttachment(EGRESS);
    assert.deepEqual(shown(kernel), ["twill1 ingress from_host"]);
    kernel.deleteAttachment({ link: "nope", direction: "ingress" });
  });

  it("refuses devices and programs that are not there", () => {
    using bench = open();
    putPair(bench.kernel);
    load(bench, bench.kernel, 0);
    assert.throws(() => bench.kernel.putAttachment({ ...INGRESS, link: "nope" }), { code: "ENODEV" });
    assert.throws(() => bench.kernel.putAttachment({ ...INGRESS, program: "nope" }), { code: "ENOENT" });
    assert.deepEqual(bench.kernel.attachments(), []);
  });

  it("replaces a program by another on the same hook", () => {
    using bench = open();
    putPair(bench.kernel);
    load(bench, bench.kernel, 0);
    bench.kernel.putAttachment(INGRESS);
    bench.kernel.putAttachment({ ...INGRESS, program: "from_tunnel" });
    assert.deepEqual(shown(bench.kernel), ["twill1 ingress from_tunnel"]);
  });

  it("keeps what is attached over a restart, and adopts it without an object", () => {
    using bench = open();
    putPair(bench.kernel);
    load(bench, bench.kernel, 0);
    bench.kernel.putAttachment(INGRESS);
    bench.kernel[Symbol.dispose]();
    const later = bench.reopen();
    assert.deepEqual(shown(later), ["twill1 ingress from_host"]);
    later.putAttachment(EGRESS);
    assert.deepEqual(shown(later), ["twill0 egress from_pod", "twill1 ingress from_host"]);
  });

  it("switches attachment by attachment to a new version", () => {
    using bench = open();
    const { kernel } = bench;
    putPair(kernel);
    load(bench, kernel, 0);
    for (const row of [INGRESS, EGRESS]) kernel.putAttachment(row);
    load(bench, kernel, 1);
    assert.deepEqual(shown(kernel), ["twill0 egress from_pod (older)", "twill1 ingress from_host (older)"]);
    kernel.putAttachment(INGRESS);
    assert.deepEqual(shown(kernel), ["twill0 egress from_pod (older)", "twill1 ingress from_host"]);
    kernel.putAttachment(EGRESS);
    assert.deepEqual(shown(kernel), ["twill0 egress from_pod", "twill1 ingress from_host"]);
  });

  it("forgets what was attached to a device that is gone, also when one of its name comes back", () => {
    using bench = open();
    const { kernel } = bench;
    putPair(kernel);
    load(bench, kernel, 0);
    kernel.putAttachment(INGRESS);
    kernel.deleteLink("twill0");
    assert.deepEqual(kernel.attachments(), []);
    putPair(kernel);
    assert.deepEqual(kernel.attachments(), []);
    kernel.putAttachment(INGRESS);
    assert.deepEqual(shown(kernel), ["twill1 ingress from_host"]);
  });
}

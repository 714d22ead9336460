/** How the two ways of attaching live beside each other. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mac } from "../../net/mac.ts";
import { NETLINK_ROUTE, NLM_F } from "../../net/netlink/constants.ts";
import { readFilter, writeGetFilter, writeNewClsact } from "../../net/netlink/traffic-control.ts";
import type { AttachRow } from "../../plan/rows.ts";
import { loadAddon } from "./addon.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
const TCX_INGRESS = 46;
const LINK: AttachRow = { link: "twill1", direction: "ingress", program: "from_host" };
const FILTER: AttachRow = { ...LINK, by: "clsact" };

function open() {
  const bench = openLinux("auto");
  const row = { kind: "veth", name: "twill0", peer: "twill1", mtuBytes: 1450 } as const;
  bench.kernel.putLink({ ...row, mac: mac("ee:ee:ee:ee:ee:ee"), peerMac: mac("ee:ee:ee:ee:ee:e1") });
  bench.kernel.loadPrograms(bench.objects[0], { pinDirectory: bench.pinDirectory, maxEntries: new Map() });
  return bench;
}

/** What stands on twill1's ingress, whoever put it there. */
function hook(bench: ReturnType<typeof open>): { readonly links: number; readonly filter: string | undefined } {
  using socket = new NetlinkSocket(bench.node, NETLINK_ROUTE);
  const index = socket.ifIndex("twill1");
  const [answer] = socket.askAll([
    {
      op: "look",
      write: (w, flags, sequence) => writeGetFilter(w, { index, hook: "ingress", flags, sequence }),
      tolerates: [2, 22],
    },
  ]);
  const { linkIds } = loadAddon().tcxQuery(bench.node, index, TCX_INGRESS);
  return { links: linkIds.length, filter: answer === undefined ? undefined : readFilter(answer)?.name };
}

describe("tcx and clsact", { skip }, () => {
  it("makes a link unless the row asks for a filter", () => {
    using bench = open();
    bench.kernel.putAttachment(LINK);
    assert.deepEqual(hook(bench), { links: 1, filter: undefined });
    bench.kernel.deleteAttachment(LINK);
    bench.kernel.putAttachment(FILTER);
    assert.deepEqual(hook(bench), { links: 0, filter: "twill:from_host" });
    assert.deepEqual(readdirSync(join(bench.pinDirectory, "links")), []);
    assert.equal(bench.kernel.attachments().length, 1);
  });

  it("goes from a filter to a link without a moment with neither, and keeps a link for a row that asks for a filter", () => {
    using bench = open();
    for (const row of [FILTER, FILTER, LINK, FILTER]) bench.kernel.putAttachment(row);
    assert.deepEqual(hook(bench), { links: 1, filter: undefined });
    assert.equal(bench.kernel.attachments().length, 1);
  });

  it("removes both", () => {
    using bench = open();
    bench.kernel.putAttachment(FILTER);
    bench.kernel.deleteAttachment(FILTER);
    bench.kernel.putAttachment(LINK);
    bench.kernel.deleteAttachment(LINK);
    assert.deepEqual(hook(bench), { links: 0, filter: undefined });
  });

  it("leaves the place of an ingress qdisc free when it makes a link", () => {
    using bench = open();
    bench.kernel.putAttachment(LINK);
    using socket = new NetlinkSocket(bench.node, NETLINK_ROUTE);
    const index = socket.ifIndex("twill1");
    // A clsact that is made by somebody else, as the bandwidth plugin makes its ingress qdisc.
    const flags = NLM_F.CREATE | NLM_F.EXCL;
    socket.change([{ op: "make", write: (w, f, sequence) => writeNewClsact(w, index, f | flags, sequence) }]);
    assert.deepEqual(hook(bench), { links: 1, filter: undefined });
  });

  it("looks at a hundred links at once", () => {
    using bench = open();
    for (let i = 0; i < 50; i++) {
      const macs = { mac: mac("ee:ee:ee:ee:ee:ee"), peerMac: mac("ee:ee:ee:ee:ee:e1") };
      bench.kernel.putLink({ kind: "veth", name: `a${i}`, peer: `b${i}`, mtuBytes: 1450, ...macs });
      bench.kernel.putAttachment({ ...FILTER, link: `a${i}` });
      bench.kernel.putAttachment({ ...FILTER, link: `b${i}`, direction: "egress" });
    }
    bench.kernel.putAttachment(LINK);
    const attached = bench.kernel.attachments();
    assert.equal(attached.length, 101);
    assert.ok(attached.every((a) => a.isCurrent && a.program === "from_host"));
    assert.ok(attached.every((a) => a.direction === (a.link.startsWith("b") ? "egress" : "ingress")));
  });
});

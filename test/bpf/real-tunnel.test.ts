/**
 * The tunnel between two real nodes, with and without its shortcut: every size and protocol arrives either way, and the
 * counters say which way it took. What is not seen by BPF_PROG_TEST_RUN is here: offloads, segmentation, neighbours.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { answerAt, assertReaches, TEST_PORT } from "../fixture/traffic.ts";
import { addPod, type Pod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";
import { whyNot } from "./plane.ts";

/** What segmentation offloads are for; what leaves in fragments; what just passes whole. */
const SIZES = { stream: 300_000, datagram: 3_000, segment: 1_300 } as const;

/** Packets by metric. */
async function metrics(node: TwillNode): Promise<ReadonlyMap<string, number>> {
  const { entries } = JSON.parse(await node.cli("bpf", "dump", "metrics", "--json")) as {
    entries: { what: string; packets: number }[];
  };
  return new Map(entries.map((r) => [r.what, r.packets]));
}

for (const shortcut of [true, false]) {
  describe(`the tunnel ${shortcut ? "with" : "without"} its shortcut`, { skip: whyNot() }, () => {
    const stack = new AsyncDisposableStack();
    let nodes: readonly TwillNode[];
    let pods: readonly [Pod, Pod];

    before(async () => {
      nodes = await startNodes(stack, { count: 2, config: { tunnel: { shortcut } } });
      const [a, b] = nodes as [TwillNode, TwillNode];
      pods = [await addPod(a), await addPod(b)];
    });
    after(() => stack.disposeAsync());

    it("carries every size of both families in both directions", async () => {
      using responder = new Responder();
      for (const pod of pods) await answerAt(responder, { name: "pod", netns: pod.netns, addresses: pod.addresses });
      for (const [from, to] of [pods, pods.toReversed()] as [Pod, Pod][]) {
        await assertReaches(from.netns, to.addresses);
        await assertReaches(from.netns, to.addresses, { sizeBytes: SIZES.datagram });
        await assertReaches(from.netns, to.addresses, { sizeBytes: SIZES.segment, fragment: "never" });
        for (const address of to.addresses) {
          const spec = { netns: from.netns, to: address, port: TEST_PORT, timeoutMs: 20_000 };
          const result = await probe({ ...spec, protocol: "TCP", sizeBytes: SIZES.stream });
          assert.equal(result.verdict, "ok", JSON.stringify(result));
        }
      }
    });

    it(`${shortcut ? "passes known flows without" : "passes every packet through"} the device, and loses nothing`, async () => {
      for (const node of nodes) {
        const counted = await metrics(node);
        const lost = [...counted].filter(([what, packets]) => what.startsWith("drop_") && packets > 0);
        assert.deepEqual(lost, []);
        assert.ok((counted.get("forward_tunnel") ?? 0) > 20);
        for (const what of ["shortcut_out", "shortcut_in"])
          assert.equal((counted.get(what) ?? 0) > 0, shortcut, `${what}: ${counted.get(what)}`);
      }
    });
  });
}

/** A new agent whose programs the kernel refuses goes on with those of the old one: on a real kernel, with real packets. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { AgentStatus } from "../../src/agent/status/status.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { elfSection } from "../../src/net/elf.ts";
import { writeIn } from "../fixture/files.ts";
import { answerAt, assertReaches } from "../fixture/traffic.ts";
import { addPod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const OBJECT = fileURLToPath(new URL("../../bpf/gen/twill.o", import.meta.url));
const stack = new AsyncDisposableStack();
let node: TwillNode;

before(async () => {
  [node] = (await startNodes(stack, { count: 1 })) as [TwillNode];
});

after(() => stack.disposeAsync());

/** The object with first instructions that no verifier lets through: a read through register 2, which holds nothing. */
function refused(): Uint8Array {
  const copy = Uint8Array.from(readFileSync(OBJECT));
  const section = elfSection(copy, "tc");
  assert.ok(section.ok);
  section.value.set([0x61, 0x20, 0, 0, 0, 0, 0, 0]);
  return copy;
}

test("pods go on, new ones are attached, and status says what is wrong", async () => {
  using responder = new Responder();
  const a = await addPod(node);
  await node.stopAgent();
  writeIn(node.box, "/run/refused.o", refused());
  node.startAgent({ TWILL_OBJECT: "/run/refused.o" });
  await node.whenReady();
  const b = await addPod(node);
  await answerAt(responder, { name: "b", netns: b.netns, addresses: b.addresses });
  await assertReaches(a.netns, b.addresses);
  const status = JSON.parse(await node.cli("status", "--json")) as AgentStatus;
  assert.equal(status.isReady, true);
  assert.match(
    status.issues[0]?.message ?? "",
    /Those of an earlier agent go on, .*: Cannot load programs: .*R2 !read_ok/,
  );
});

/**
 * A firewall that follows connections drops what it cannot make sense of: kube-proxy's rules do. What leaves through the
 * stack has to come back through it then, or the firewall sees a handshake of which the middle is missing.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Box, runIn } from "../../src/lab/box.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { echoPod } from "../../src/lab/demo/run.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { CommandError } from "../../src/lab/run.ts";
import { waitFor } from "../fixture/sandbox.ts";

const READY_MS = 120_000;
const ASKED = {
  ports: [{ protocol: "TCP", port: 80 }],
  from: ["default/a"],
  to: ["outside"],
  timeoutMs: 10_000,
} as const;

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-firewall", nodes: 1 });
  await lab.ready(READY_MS);
  lab.objects.create(echoPod("a", "node-1"));
  await lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default" },
    (l) => l.length === 1 && l.every(isPodReady),
    READY_MS,
    "the pod",
  );
});
after(() => lab?.[Symbol.asyncDispose]());

async function inNode(...argv: string[]): Promise<string> {
  const box: Box | undefined = lab.nodes[0]?.box;
  assert.ok(box !== undefined);
  const output = await runIn(box, argv);
  if (output.code !== 0) throw new CommandError(argv, output);
  return output.stdout;
}

const verdict = async () => Object.values(Object.values(await lab.probe(ASKED))[0] ?? {})[0]?.["outside"];

test("connections of pods to the outside live with a firewall that drops what is INVALID", async () => {
  assert.equal(await verdict(), "ok", "without a firewall");
  for (const iptables of ["iptables", "ip6tables"])
    await inNode(iptables, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP");
  // Connections of before it came are none of its, so the first look may come too early.
  await waitFor("the agent to take note of the firewall", async () => (await verdict()) === "ok", READY_MS);
  for (let i = 0; i < 5; i++) assert.equal(await verdict(), "ok", `again, ${i}`);
});

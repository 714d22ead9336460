/** docs/standalone.md, taken at its word: its files on a host without Kubernetes give containers a network. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { writeIn } from "../fixture/files.ts";
import { eventually } from "../fixture/service-stage.ts";
import { answerAt, assertReaches } from "../fixture/traffic.ts";
import { addPod, checkPod, deletePod, openNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const page = readFileSync(new URL("../../docs/standalone.md", import.meta.url), "utf8");
const [objects = "", config = "", service = ""] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((m) => m[1] ?? "");

const stack = new AsyncDisposableStack();
let node: TwillNode;

before(async () => {
  const [first] = await openNodes(stack, { count: 1 });
  assert.ok(first);
  node = first;
  writeIn(node.box, "/etc/twill/objects/nodes.yaml", objects);
  writeIn(node.box, "/etc/twill/config.yaml", config);
  // The fixture's --node stands over the file's name.
  node.startAgent({}, "alpha");
  stack.defer(() => node.stopAgent());
  await node.whenReady();
});

after(() => stack.disposeAsync());

test("the page's host becomes ready and reaches its neighbour by a tunnel", async () => {
  const status = await node.cli("status");
  assert.match(status, /^alpha +ready/);
  assert.match(status, /beta 10\.244\.2\.0\/24, fd00:10:244:2::\/64 via 192\.168\.78\.2/);
});

test("two containers reach each other, and the host reaches them", async () => {
  using responder = new Responder();
  const [a, b] = [await addPod(node), await addPod(node)];
  await answerAt(responder, { name: "b", netns: b.netns, addresses: b.addresses });
  await assertReaches(a.netns, b.addresses);
  await assertReaches(node.box.netns, b.addresses);
  for (const pod of [a, b]) {
    await checkPod(pod);
    await deletePod(pod);
  }
});

test("the page's Service leads to a container, from containers and from the host", async () => {
  using responder = new Responder();
  const [a, b] = [await addPod(node), await addPod(node)];
  await answerAt(responder, { name: "b", netns: b.netns, addresses: b.addresses }, 8080);
  const address = b.addresses.find((x) => !x.includes(":")) ?? "";
  writeIn(node.box, "/etc/twill/objects/web.yaml", service.replace("10.244.1.7", address));
  await eventually(async () => {
    const to = { protocol: "TCP", to: "10.96.0.80", port: 80 } as const;
    assert.equal((await probe({ netns: a.netns, ...to, timeoutMs: 1_000 })).server, "b");
  });
  // As a process of the host's own: its socket is given the backend.
  assert.match(await node.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", "http://10.96.0.80/"]), /^b sees /);
  assert.match(await node.cli("service", "list"), /^default\/web +ClusterIP +10\.96\.0\.80:80 +TCP +1\/1 +-$/m);
  for (const pod of [a, b]) await deletePod(pod);
});

test("the page's commands exist", async () => {
  const commands = [...page.matchAll(/^twill ((?:[a-z]+ ?)+)/gm)].map((m) => (m[1] ?? "").trim());
  assert.ok(commands.length >= 5);
  for (const command of commands) {
    const words = command.split(" ");
    const last = words[0] === "bpf" ? words.slice(0, 2) : words;
    assert.match(
      await node.run([new URL("../../bin/twill", import.meta.url).pathname, ...last, "--help"]),
      /^Usage: twill/,
    );
  }
});

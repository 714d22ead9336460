/** podman with its CNI backend uses Twill on a host without Kubernetes. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Responder } from "../../src/lab/probe/responder.ts";
import { cgroupParent, removeCgroups } from "../fixture/cgroups.ts";
import { answerAt, assertReaches } from "../fixture/traffic.ts";
import { startNodes, type TwillNode } from "../fixture/twill-nodes.ts";
import { openPodman, type Podman, podmanMissing } from "./podman.ts";

const CGROUPS = "twill-podman-test";
const skip = podmanMissing() ?? false;

describe("podman", { skip }, () => {
  const stack = new AsyncDisposableStack();
  let node: TwillNode;
  let podman: Podman;

  before(async () => {
    removeCgroups(CGROUPS);
    stack.defer(() => removeCgroups(CGROUPS));
    [node] = (await startNodes(stack, { count: 1 })) as [TwillNode];
    podman = await openPodman(node.box, cgroupParent(CGROUPS));
  });
  after(() => stack.disposeAsync());

  test("containers get both addresses and reach each other, and leave nothing behind", async () => {
    using responder = new Responder();
    const network = node.network().name;
    for (const name of ["a", "b"]) await podman.runPause(name, network);
    const [a, b] = await Promise.all(["a", "b"].map((name) => peerOf(name)));
    await answerAt(responder, b!);
    await assertReaches(a!.netns, b!.addresses);
    await assertReaches(node.box.netns, b!.addresses);
    await podman.call("rm", "-f", "-t", "0", "a", "b");
    const links = await node.run(["ip", "-br", "link"]);
    assert.doesNotMatch(links, /^twl/m);
  });

  async function peerOf(name: string) {
    const { State, NetworkSettings } = await podman.inspect(name);
    const given = NetworkSettings.Networks[node.network().name];
    assert.match(given?.MacAddress ?? "", /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    const addresses = [given?.IPAddress ?? "", given?.GlobalIPv6Address ?? ""];
    assert.match(addresses[0]!, /^10\.244\.1\./);
    assert.match(addresses[1]!, /^fd00:10:244:1:/);
    // The process number is that of the box's own numbering.
    return { name, addresses, netns: `${node.box.root}/proc/${State.Pid}/ns/net` };
  }
});

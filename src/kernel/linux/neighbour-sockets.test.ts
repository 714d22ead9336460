import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { arpProbe, readArp } from "../../net/neighbour/arp.ts";
import { probeSolicitation, readNeighbour } from "../../net/neighbour/discovery.ts";
import { NeighbourSockets } from "./neighbour-sockets.ts";
import { makeNetns, removeNetns, whyNoKernel } from "./test-bench.ts";

const V4 = addr("192.0.2.10");
const V6 = addr("2001:db8::10");
const MAC = mac("02:00:00:00:00:0a");
const DEADLINE_MS = 60_000;

function ip(netns: string, line: string): string {
  return execFileSync("nsenter", [`--net=${netns}`, "ip", ...line.split(" ")], { encoding: "utf8" });
}

function indexOf(netns: string): number {
  return (JSON.parse(ip(netns, "-j link show eth0")) as { ifindex: number }[])[0]?.ifindex ?? assert.fail();
}

test("what is asked on the wire is heard, IPv6 by who listens for the address, and nothing after the end", {
  skip: whyNoKernel(),
}, async () => {
  const [a, b] = [makeNetns(), makeNetns()];
  try {
    ip(a, "link add eth0 type veth peer name peer");

    execFileSync("sh", ["-c", `exec 3<"$1"; nsenter --net="$0" ip link set peer netns /proc/$$/fd/3`, a, b], {
      stdio: "inherit",
    });
    ip(b, "link set peer name eth0");
    for (const netns of [a, b]) ip(netns, "link set eth0 up");
    const heard: string[] = [];
    const [deviceA, deviceB] = [a, b].map((netns) => ({ name: "eth0", ifindex: indexOf(netns) })) as [
      { name: string; ifindex: number },
      { name: string; ifindex: number },
    ];
    const listener = {
      arp: (ifindex: number, frame: Uint8Array) => void heard.push(`${ifindex} arp ${readArp(frame)?.target.text}`),
      icmp6: (ifindex: number, from: { text: string }, bytes: Uint8Array) =>
        void heard.push(
          `${ifindex} ${readNeighbour(bytes)?.kind} ${readNeighbour(bytes)?.target.text} from ${from.text}`,
        ),
    };
    using sender = new NeighbourSockets(a, { arp: () => undefined, icmp6: () => undefined });
    const receiver = new NeighbourSockets(b, listener);
    sender.listen([deviceA], []);
    receiver.listen([deviceB], [V6]);
    const wanted = [`${deviceB.ifindex} arp ${V4.text}`, `${deviceB.ifindex} solicitation ${V6.text} from ::`];
    for (const end = Date.now() + DEADLINE_MS; !wanted.every((w) => heard.includes(w)); ) {
      assert.ok(Date.now() < end, `heard ${heard.join(", ")}`);
      // Until both ends carry packets, what is sent is lost.
      sender.send(deviceA, arpProbe(MAC, V4));
      sender.send(deviceA, probeSolicitation(MAC, V6));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    receiver.listen([deviceB], []);
    receiver.listen([], []);
    heard.length = 0;
    sender.send(deviceA, arpProbe(MAC, V4));
    await new Promise(setImmediate);
    assert.deepEqual(heard, []);
    receiver[Symbol.dispose]();
  } finally {
    for (const netns of [a, b]) removeNetns(netns);
  }
});

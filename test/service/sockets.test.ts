/** Services as sockets find them that the agents' hook sees: pods' own processes and the nodes'. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cgroup2Root } from "../../src/kernel/linux/control-group.ts";
import { runIn } from "../../src/lab/box.ts";
import { decodeReply, encodeRequest } from "../../src/lab/probe/protocol.ts";
import { SOCKET } from "../../src/lab/probe/socket.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { eventually } from "../fixture/service-stage.ts";

let s: ServiceLab;

const options = { skip: cgroup2Root() === undefined && "needs a cgroup2 file system" };
const WEB = { selector: { app: "web" } };
const CLIENTS = ["default/client-1", "default/client-2", "node-1", "node-2"];
const NODES = ["node-1", "node-2"];

before(async () => {
  if (options.skip !== false) return;
  s = await startServiceLab({ name: "test-service-sockets", nodes: 2 });
  s.isSeen = true;
  await s.pods({ "web-1": "node-1", "web-2": "node-2" }, { app: "web" });
  await s.pods({ "client-1": "node-1", "client-2": "node-2" });
});
after(() => s?.[Symbol.asyncDispose]());

/** Entries of a map on a node. */
async function dump(node: string, map: string): Promise<Record<string, unknown>[]> {
  const out = await runIn(s.lab.node(node).box, ["/opt/twill/bin/twill", "bpf", "dump", map, "--json"]);
  assert.equal(out.code, 0, out.stderr);
  return (JSON.parse(out.stdout) as { entries: Record<string, unknown>[] }).entries;
}

test(
  "a cluster IP leads to all backends, from pods and from nodes, without a packet to translate",
  options,
  async () => {
    const ips = s.service("web", WEB);
    const askAll = async () => {
      for (const ip of ips)
        for (const client of CLIENTS) {
          await s.answeredBy(["web-1", "web-2"], client, "TCP", ip, 8000);
          await s.answeredBy(["web-1", "web-2"], client, "UDP", ip, 5300);
        }
    };
    const flows = () => Promise.all(NODES.map((node) => dump(node, "service_flows")));
    // Who asked before the service was known was given nothing, and is translated when it asks again.
    await askAll();
    const before = await flows();
    await askAll();
    const now = await flows();
    for (const [i, node] of NODES.entries()) {
      assert.ok((now[i]?.length ?? 0) <= (before[i]?.length ?? 0), `flows of ${node}: ${JSON.stringify(now[i])}`);
      assert.ok((await dump(node, "sock_reverse")).length > 0);
    }
  },
);

test("a pod that is alone behind a service reaches itself, by its own loopback", options, async () => {
  const ips = s.service("self", {});
  s.slices("self", s.endpoints("web-1"));
  for (const [i, ip] of ips.entries()) {
    await s.answeredBy(["web-1"], "default/web-1", "TCP", ip, 8000);
    await s.answeredBy(["web-1"], "default/web-1", "UDP", ip, 5300);
    assert.equal((await s.ask("default/web-1", "TCP", ip, 8000)).seenAddress, s.at("default/web-1").addresses[i]);
  }
});

test("a service that nobody is behind refuses at once", options, async () => {
  for (const ip of s.service("nobody", {}))
    for (const client of CLIENTS)
      for (const protocol of ["TCP", "UDP"] as const)
        await eventually(async () => {
          const r = await s.ask(client, protocol, ip, protocol === "TCP" ? 8000 : 5300, 5_000);
          assert.deepEqual([r.verdict, r.reason], ["refused", "ECONNREFUSED"], `${client} ${protocol} ${ip}`);
          assert.ok(r.ms < 1_000, `${r.ms} ms`);
        });
});

test("internalTrafficPolicy Local: silence where a node has no backend, until it has one", options, async () => {
  const ips = s.service("near", { internalTrafficPolicy: "Local" });
  s.slices("near", s.endpoints("web-1"));
  for (const ip of ips) {
    await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
    await s.answeredBy(["timeout"], "default/client-2", "TCP", ip, 8000, 1);
  }
  const waiting = ips.map((ip) => s.ask("default/client-2", "TCP", ip, 8000, 30_000));
  s.slices("near", s.endpoints("web-2"));
  for (const r of await Promise.all(waiting)) assert.deepEqual([r.verdict, r.server], ["ok", "default/web-2"]);
});

test("a node port leads to all backends at any node, from pods and nodes", options, async () => {
  s.service("port", { ...WEB, type: "NodePort" });
  for (const node of NODES)
    for (const address of s.at(node).addresses)
      for (const client of ["default/client-1", "node-1"])
        await s.answeredBy(["web-1", "web-2"], client, "TCP", address, s.nodePort("port", "web"));
});

test("session affinity: one backend answers a client, always", options, async () => {
  for (const ip of s.service("loyal", { ...WEB, sessionAffinity: "ClientIP" }))
    await eventually(async () => {
      const found = await s.answers("default/client-1", "TCP", ip, 8000, 30);
      assert.equal(found.length, 1, `${found}`);
      assert.match(found[0] ?? "", /^web-/);
    });
});

test("who is not ready gets nothing, and who ends only while nobody else is ready", options, async () => {
  const ENDING = { conditions: { ready: false, serving: true, terminating: true } };
  const ips = s.service("ending", {});
  s.slices("ending", [...s.endpoints("web-1", ENDING), ...s.endpoints("web-2")]);
  for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000, 20);
  s.slices("ending", s.endpoints("web-1", ENDING));
  for (const ip of ips) await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
});

test("the hook works without an agent, and the next one takes it over", options, async () => {
  const [ip] = s.service("web", WEB);
  const agent = s.lab.agent("node-1");
  assert.ok(agent?.signal("SIGKILL"));
  for (let i = 0; i < 20; i++) assert.equal((await s.ask("default/client-1", "TCP", ip, 8000)).verdict, "ok");
  await s.lab.ready(120_000);
  await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", ip, 8000);
});

test("a connected UDP socket ends when its backend does, and another one stays", options, async () => {
  const ips = s.service("talk", {});
  s.slices("talk", [...s.endpoints("web-1"), ...s.endpoints("web-2")]);
  for (const ip of ips) {
    await s.answeredBy(["web-1", "web-2"], "default/client-1", "UDP", ip, 5300);
    /** Connects until the wanted one has answered. */
    const talkTo = async (server: string) => {
      for (;;) {
        const socket = s.socket("default/client-1", ip.includes(":") ? 6 : 4, SOCKET.DGRAM);
        await socket.connect(ip, 5300, 5_000);
        await socket.send(encodeRequest({ nonce: "abcdef", size: 0, want: 0 }), 5_000);
        if (decodeReply(await socket.receive(20_000))?.name === server) return socket;
        socket[Symbol.dispose]();
      }
    };
    using lost = await talkTo("default/web-1");
    using kept = await talkTo("default/web-2");
    s.slices("talk", s.endpoints("web-2"));
    await assert.rejects(lost.receive(30_000), { code: "ECONNABORTED" });
    await kept.send(encodeRequest({ nonce: "abcdef", size: 0, want: 0 }), 5_000);
    assert.equal(decodeReply(await kept.receive(20_000))?.name, "default/web-2");
    s.slices("talk", [...s.endpoints("web-1"), ...s.endpoints("web-2")]);
  }
});

test("a service that goes is gone", options, async () => {
  const ips = s.service("short", WEB);
  for (const ip of ips) await s.answeredBy(["web-1", "web-2"], "node-1", "TCP", ip, 8000);
  s.removeService("short");
  for (const ip of ips)
    await eventually(async () =>
      assert.notEqual((await s.ask("default/client-1", "TCP", ip, 8000, 500)).verdict, "ok"),
    );
});

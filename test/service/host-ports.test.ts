/** Ports of a node that lead to its pods, with real packets and real sockets: from everywhere, in both families. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cgroup2Root } from "../../src/kernel/linux/control-group.ts";
import { runIn } from "../../src/lab/box.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { decodeReply, encodeRequest } from "../../src/lab/probe/protocol.ts";
import { type ProbeSocket, SOCKET } from "../../src/lab/probe/socket.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { eventually } from "../fixture/service-stage.ts";

let s: ServiceLab;

const READY_MS = 120_000;
const hasSockets = cgroup2Root() !== undefined;
const PORTS = { TCP: 8080, UDP: 8053 } as const;
const PROTOCOLS = ["TCP", "UDP"] as const;
/** Nobody listens there on the nodes themselves. */
const ELSEWHERE = ["outside", "node-2", "default/near", "default/far"];

/** A pod that answers TCP 80 and UDP 81, with ports of its node that lead there. */
async function open(name: string, nodeName: string, more: object = {}, ports: Record<string, number> = PORTS) {
  const list = [
    { containerPort: 80, protocol: "TCP" },
    { containerPort: 81, protocol: "UDP" },
  ].map((p) => ({ ...p, hostPort: ports[p.protocol] ?? 0, ...more }));
  s.lab.objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name },
    spec: { nodeName, containers: [{ name: "echo", image: ECHO_IMAGE, ports: list }] },
  });
  await s.lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default" },
    (all) =>
      all.some(
        (p) =>
          p.metadata.name === name &&
          ((p["status"]?.conditions ?? []) as { type: string; status: string }[]).some(
            (c) => c.type === "Ready" && c.status === "True",
          ),
      ),
    READY_MS,
    name,
  );
}

async function remove(name: string): Promise<void> {
  s.lab.objects.delete({ apiVersion: "v1", kind: "Pod", namespace: "default", name });
  await s.lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default" },
    (all) => all.every((p) => p.metadata.name !== name),
    READY_MS,
    `no ${name}`,
  );
}

/** Who answers at every address of node-1, by both protocols. */
async function answeredAt(
  from: string,
  who: string,
  ports: Record<"TCP" | "UDP", number> = PORTS,
  addresses = s.at("node-1").addresses,
) {
  for (const address of addresses)
    for (const protocol of PROTOCOLS) await s.answeredBy([who], from, protocol, address, ports[protocol], 1);
}

/** What a node's program prints. */
async function twill(node: string, ...args: string[]) {
  const out = await runIn(s.lab.node(node).box, ["/opt/twill/bin/twill", ...args, "--json"]);
  assert.equal(out.code, 0, out.stderr);
  return JSON.parse(out.stdout);
}

/** Asks by a socket that is connected already. @returns who answers */
async function askBy(socket: ProbeSocket, timeoutMs = 20_000): Promise<string | undefined> {
  await socket.send(encodeRequest({ nonce: "abcdef", size: 0, want: 0 }), timeoutMs);
  return decodeReply(await socket.receive(timeoutMs))?.name;
}

before(async () => {
  s = await startServiceLab({ name: "test-host-ports", nodes: 2 });
  await s.pods({ near: "node-1", far: "node-2" });
  await open("web", "node-1");
});
after(() => s?.[Symbol.asyncDispose]());

describe("packet by packet", () => {
  for (const from of [...ELSEWHERE, "default/web"])
    test(`a port of the node leads to its pod, asked by ${from}`, () => answeredAt(from, "web"));

  test("the pod sees who asks, and itself by its gateway", async () => {
    for (const from of ["outside", "default/near", "default/far"])
      for (const [i, address] of s.at("node-1").addresses.entries()) {
        const r = await s.ask(from, "TCP", address, PORTS.TCP);
        assert.equal(r.seenAddress, s.at(from).addresses[i], from);
      }
    for (const address of s.at("node-1").addresses) {
      const r = await s.ask("default/web", "TCP", address, PORTS.TCP);
      assert.notEqual(r.seenAddress, undefined);
      assert.ok(!s.at("default/web").addresses.includes(r.seenAddress ?? ""), `${r.seenAddress}`);
    }
  });

  test("large answers come whole, from another node's pod and from outside", async () => {
    for (const from of ["outside", "default/far"])
      for (const to of s.at("node-1").addresses)
        for (const protocol of PROTOCOLS) {
          const sizeBytes = protocol === "TCP" ? 262_144 : 3_000;
          const r = await s.askLarge(from, protocol, to, PORTS[protocol], sizeBytes);
          assert.equal(r.verdict, "ok", `${from} ${protocol} ${to}: ${JSON.stringify(r)}`);
        }
  });

  test("it is the port of its own node, and of no other", async () => {
    for (const from of ["outside", "default/near", "default/far"])
      for (const address of s.at("node-2").addresses)
        assert.notEqual((await s.ask(from, "TCP", address, PORTS.TCP, 1_000)).verdict, "ok", from);
  });
});

describe("by sockets", { skip: !hasSockets && "needs a cgroup2 file system" }, () => {
  before(() => {
    s.isSeen = true;
  });
  after(() => {
    s.isSeen = false;
  });

  for (const from of ["node-1", "node-2", "default/near", "default/far", "default/web"])
    test(`a port of the node leads to its pod, asked by ${from}`, () => answeredAt(from, "web"));

  test("it is the port of its own node, and of no other", async () => {
    for (const from of ["node-1", "node-2", "default/near"])
      for (const address of s.at("node-2").addresses)
        assert.notEqual((await s.ask(from, "TCP", address, PORTS.TCP, 1_000)).verdict, "ok", from);
  });

  test("a connected UDP socket ends with the pod", async () => {
    await open("short", "node-1", {}, { TCP: 8090, UDP: 8091 });
    for (const [to, family] of s.at("node-1").addresses.map((a, i) => [a, i === 0 ? 4 : 6] as const)) {
      const socket = s.socket("default/near", family, SOCKET.DGRAM);
      await socket.connect(to, 8091, 5_000);
      assert.equal(await askBy(socket), "default/short");
      sockets.push(socket);
    }
    await remove("short");
    for (const socket of sockets) {
      await assert.rejects(socket.receive(30_000), { code: "ECONNABORTED" });
      socket[Symbol.dispose]();
    }
  });
  const sockets: ProbeSocket[] = [];
});

test("a port at one address is at no other", async () => {
  const [v4 = "", v6 = ""] = s.at("node-1").addresses;
  const ports = { TCP: 8070, UDP: 8071 };
  await open("one", "node-1", { hostIP: v4 }, ports);
  for (const from of ELSEWHERE) {
    await answeredAt(from, "one", ports, [v4]);
    assert.notEqual((await s.ask(from, "TCP", v6, ports.TCP, 1_000)).verdict, "ok", from);
  }
  await remove("one");
});

test("they are listed beside services, with whom they lead to, and say when a service has them", async () => {
  type List = { name: string; type: string; issues: string[] }[];
  const hostPorts = async () =>
    ((await twill("node-1", "service", "list")) as List).filter((r) => r.type === "HostPort");
  await eventually(async () =>
    assert.deepEqual(
      (await hostPorts()).map((r) => [r.name, r.issues]),
      [["web", []]],
    ),
  );
  const [v4 = ""] = s.at("node-1").addresses;
  s.service("taken", { ports: [{ name: "web", port: PORTS.TCP, targetPort: "web" }], externalIPs: [v4] });
  s.slices("taken", s.endpoints("far"));
  await s.answeredBy(["far"], "outside", "TCP", v4, PORTS.TCP);
  await eventually(async () => {
    // Only at that address: all others are the pod's.
    assert.deepEqual((await hostPorts())[0]?.issues, []);
  });
  s.removeService("taken");
  await s.answeredBy(["web"], "outside", "TCP", v4, PORTS.TCP, 1);
});

test("who sends datagrams from one port goes on with the pod's successor", async () => {
  const ports = { TCP: 8060, UDP: 8061 };
  await open("first", "node-1", {}, ports);
  const asked = [
    ["outside", false],
    ["default/far", false],
    ["default/near", false],
  ] as const;
  const clients = asked.flatMap(([from]) =>
    s.at("node-1").addresses.map((to, i) => ({ from, to, socket: s.socket(from, i === 0 ? 4 : 6, SOCKET.DGRAM) })),
  );
  for (const { from, to, socket } of clients) {
    await socket.connect(to, ports.UDP, 5_000);
    assert.equal(await askBy(socket), "default/first", `${from} ${to}`);
  }
  await remove("first");
  // Nobody has the port: what is sent now must not stand in the successor's way.
  for (const { socket } of clients) await socket.send(encodeRequest({ nonce: "lost", size: 0, want: 0 }), 5_000);
  await open("second", "node-1", {}, ports);
  for (const { from, to, socket } of clients) {
    await eventually(async () => assert.equal(await askBy(socket, 1_000), "default/second", `${from} ${to}`));
    socket[Symbol.dispose]();
  }
  await remove("second");
});

test("an agent that is killed and its successor leave them as they are", async () => {
  assert.ok(s.lab.agent("node-1")?.signal("SIGKILL"));
  for (let i = 0; i < 10; i++) {
    const r = await s.ask("outside", "TCP", s.at("node-1").addresses[0] ?? "", PORTS.TCP);
    assert.equal(r.verdict, "ok");
  }
  await s.lab.ready(READY_MS);
  await answeredAt("default/far", "web");
});

test("nothing is left of a pod that is gone", async () => {
  await remove("web");
  for (const from of ELSEWHERE)
    for (const address of s.at("node-1").addresses)
      await eventually(async () =>
        assert.notEqual((await s.ask(from, "TCP", address, PORTS.TCP, 1_000)).verdict, "ok", `${from} ${address}`),
      );
  assert.deepEqual((await twill("node-1", "bpf", "dump", "host_ports")).entries, []);
});

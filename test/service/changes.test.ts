/** Services from a node's own processes, near ones first, flows whose backend goes, an agent that comes back, and what `twill` says of it all. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { ServiceReport } from "../../src/agent/service/service-report.ts";
import { runIn } from "../../src/lab/box.ts";
import { decodeReply, encodeRequest } from "../../src/lab/probe/protocol.ts";
import { ProbeSocket, SOCKET } from "../../src/lab/probe/socket.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { eventually } from "../fixture/service-stage.ts";

const NODES = ["node-1", "node-2"];
const WEB = { selector: { app: "web" } };

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({
    name: "test-service-changes",
    nodes: 2,
    agentConfig: { services: { maglevTableSize: 251 } },
  });
  await s.pods({ "web-1": "node-1", "web-2": "node-2" }, { app: "web" });
  await s.pods({ "client-1": "node-1" });
});
after(() => s?.[Symbol.asyncDispose]());

/** In a node, as its own processes and its control group's. */
async function inNode(node: string, argv: readonly string[]) {
  return runIn(s.lab.node(node).box, argv, { timeoutMs: 30_000 });
}

async function twill<T>(node: string, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await inNode(node, ["/opt/twill/bin/twill", ...args, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** Entries of a map on a node, all of them. */
async function dump<T = unknown>(node: string, map: string): Promise<Record<string, T>[]> {
  const said = await twill<{ entries: Record<string, T>[]; truncated: boolean }>(
    node,
    "bpf",
    "dump",
    map,
    "--limit",
    "100000",
  );
  assert.equal(said.truncated, false);
  return said.entries;
}

const bracket = (ip: string) => (ip.includes(":") ? `[${ip}]` : ip);

/** Who answers a node's own processes by HTTP, of so many questions. */
async function curl(node: string, ip: string, port: number, count: number): Promise<string[]> {
  const found = new Set<string>();
  for (let i = 0; i < count; i++) {
    const url = `http://${bracket(ip)}:${port}/`;
    const { code, stdout } = await inNode(node, ["curl", "-gsS", "--noproxy", "*", "--max-time", "20", url]);
    found.add(code === 0 ? (stdout.split(" ")[0] ?? "").replace("default/", "") : `exit ${code}`);
  }
  return [...found].sort();
}

/** A socket in a namespace that stays open between questions. */
class Asker implements Disposable {
  readonly #socket: ProbeSocket;

  private constructor(socket: ProbeSocket) {
    this.#socket = socket;
  }

  static async open(netns: string, protocol: "TCP" | "UDP", to: string, port: number): Promise<Asker> {
    const type = protocol === "TCP" ? SOCKET.STREAM : SOCKET.DGRAM;
    const socket = new ProbeSocket(netns, to.includes(":") ? 6 : 4, type, 0);
    await socket.connect(to, port, 10_000);
    return new Asker(socket);
  }

  /** Who answers; late answers to earlier questions are none. */
  async ask(timeoutMs = 10_000): Promise<string> {
    const nonce = randomBytes(6).toString("hex");
    await this.#socket.send(encodeRequest({ nonce, size: 0, want: 0 }), timeoutMs);
    for (;;) {
      const reply = decodeReply(await this.#socket.receive(timeoutMs));
      if (reply?.nonce === nonce) return reply.name.replace("default/", "");
    }
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

describe("from a node's own processes", () => {
  test("a cluster IP and a node port lead to all backends", async () => {
    const ips = s.service("web", { ...WEB, type: "NodePort" });
    for (const [i, ip] of ips.entries()) {
      const own = s.at("node-1").addresses[i] ?? "";
      await eventually(async () => assert.deepEqual(await curl("node-1", ip, 8000, 12), ["web-1", "web-2"]));
      await eventually(async () =>
        assert.deepEqual(await curl("node-1", own, s.nodePort("web", "web"), 12), ["web-1", "web-2"]),
      );
    }
  });

  test("what nobody is behind refuses at once", async () => {
    const [v4] = s.service("nobody", {});
    // 7: cannot connect; 28 would be a time-out.
    await eventually(async () => assert.deepEqual(await curl("node-1", v4, 8000, 1), ["exit 7"]));
  });
});

describe("near ones first", () => {
  test("trafficDistribution: the client's zone, or its node, while somebody is there", async () => {
    for (const [i, name] of NODES.entries())
      s.lab.objects.patch(
        { apiVersion: "v1", kind: "Node", name },
        { metadata: { labels: { "topology.kubernetes.io/zone": `zone-${i + 1}` } } },
      );
    for (const trafficDistribution of ["PreferClose", "PreferSameZone", "PreferSameNode"]) {
      const ips = s.service("near", { ...WEB, trafficDistribution });
      for (const ip of ips) await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000, 20);
    }
    // Nearer than the zone is nobody else here: only the agent says that it has heard of the last change.
    await eventually(async () => {
      const [near] = await twill<ServiceReport[]>("node-1", "service", "get", "near");
      assert.deepEqual(
        near?.ports.map((p) => p.narrowedBy),
        ["node", "node", "node", "node"],
      );
    });
    const ips = s.service("near", { ...WEB, trafficDistribution: null });
    for (const ip of ips) await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", ip, 8000);
  });
});

describe("flows whose backend goes", () => {
  test("UDP moves at once, TCP stays until it ends, and other flows are left alone", async () => {
    const ips = s.service("moving", {});
    const others = s.service("staying", {});
    s.slices("staying", s.endpoints("web-1"));
    s.slices("moving", s.endpoints("web-1"));
    const { netns } = s.at("default/client-1");
    for (const [i, ip] of ips.entries()) {
      s.slices("moving", s.endpoints("web-1"));
      await s.answeredBy(["web-1"], "default/client-1", "UDP", ip, 5300);
      await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
      await s.answeredBy(["web-1"], "default/client-1", "UDP", others[i] ?? "", 5300);
      using udp = await Asker.open(netns, "UDP", ip, 5300);
      using tcp = await Asker.open(netns, "TCP", ip, 8000);
      using other = await Asker.open(netns, "UDP", others[i] ?? "", 5300);
      assert.deepEqual([await udp.ask(), await tcp.ask(), await other.ask()], ["web-1", "web-1", "web-1"]);
      s.slices("moving", s.endpoints("web-2"));
      await eventually(async () => assert.equal(await udp.ask(1_000), "web-2"));
      assert.deepEqual([await tcp.ask(), await other.ask()], ["web-1", "web-1"]);
    }
  });
});

describe("what twill says", () => {
  test("service list and get: addresses, backends and their state, as JSON and in words", async () => {
    s.service("told", { ...WEB, type: "NodePort", sessionAffinity: "ClientIP" });
    await eventually(async () => {
      const all = await twill<ServiceReport[]>("node-1", "service", "list");
      const told = all.find((r) => r.name === "told");
      assert.deepEqual(
        told?.ports[0]?.backends.map((b) => `${b.node} ${b.state}`),
        ["node-1 ready", "node-2 ready"],
      );
    });
    const list = (await inNode("node-1", ["/opt/twill/bin/twill", "service", "list"])).stdout;
    assert.match(list, /^default\/told +ClusterIP +10\.96\.\d+\.\d+:8000 +TCP +2\/2 +affinity 10800s$/m);
    const get = (await inNode("node-1", ["/opt/twill/bin/twill", "service", "get", "told"])).stdout;
    assert.match(get, /^10\.244\.1\.\d+:80 +ready +cluster, local +node-1 /m);
    const status = (await inNode("node-1", ["/opt/twill/bin/twill", "status"])).stdout;
    assert.match(status, /^Services +\d+ at \d+ addresses, \d+ backends; last change/m);
    const wrong = await inNode("node-1", ["/opt/twill/bin/twill", "service", "get", "tolt"]);
    assert.match(wrong.stderr, /There is no service "tolt": did you mean "told"\?/);
  });

  test("Maglev's tables are the same on both nodes, in the kernel", async () => {
    const annotations = { "twill.dev/service-algorithm": "maglev" };
    const [v4] = s.service("even", WEB);
    s.lab.objects.patch(
      { apiVersion: "v1", kind: "Service", namespace: "default", name: "even" },
      { metadata: { annotations } },
    );
    const table = async (node: string) => {
      const services = await dump<string | number>(node, "services");
      const even = services.find((r) => r["frontend"] === `${v4}:8000`);
      assert.equal(even?.["inside count"], 251);
      const [slots, backends] = await Promise.all([
        dump<number>(node, "service_slots"),
        dump<string | number>(node, "backends"),
      ]);
      const addresses = new Map(backends.map((b) => [b["backend"], b["address"]]));
      return slots
        .filter((r) => r["set"] === even?.["inside set"])
        .sort((a, b) => (a["index"] ?? 0) - (b["index"] ?? 0))
        .map((r) => addresses.get(r["backend"] ?? 0));
    };
    await eventually(async () => {
      const [one, two] = [await table("node-1"), await table("node-2")];
      assert.equal(one.length, 251);
      assert.equal(new Set(one).size, 2);
      assert.deepEqual(one, two);
    });
  });
});

describe("an agent that is killed", () => {
  test("services go on without it; it comes back to the same rows, and takes up what changed meanwhile", async () => {
    const ips = s.service("kept", {});
    s.slices("kept", s.endpoints("web-1"));
    for (const ip of ips) await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
    const rows = async (map: string) => (await dump("node-1", map)).map((r) => JSON.stringify(r)).sort();
    const before = await rows("services");
    const agent = s.lab.agent("node-1");
    const pid = (await twill<{ pid: number }>("node-1", "status")).pid;
    assert.ok(agent?.signal("SIGKILL"));
    for (const ip of ips) assert.deepEqual(await s.answers("default/client-1", "TCP", ip, 8000, 5), ["web-1"]);
    s.slices("kept", s.endpoints("web-2"));
    await eventually(async () => {
      const status = await twill<{ pid: number; services: { isReady: boolean } }>("node-1", "status");
      assert.notEqual(status.pid, pid);
      assert.ok(status.services.isReady);
    }, 60_000);
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000);
    assert.deepEqual(await rows("services"), before, "the same numbers, sets and flags");
  });
});

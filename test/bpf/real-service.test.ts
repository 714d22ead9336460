/**
 * Services between real sockets of two real nodes and somebody outside: every kind of backend, asked for by a pod and from
 * the wire. Nodes are set up by real agents, which then end: the tables of services are filled by hand.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { type Addon, loadAddon } from "../../src/kernel/linux/addon.ts";
import { type ProbeResult, type ProbeSpec, probe } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { ConfigFlag, decodeConfig, encodeConfig, ServiceFlag } from "../../src/net/gen/bpf-maps.ts";
import { answerAt } from "../fixture/traffic.ts";
import {
  addPod,
  joinOutside,
  OUTSIDE,
  openNodes,
  type Pod,
  startAgents,
  type TwillNode,
} from "../fixture/twill-nodes.ts";
import { whyNot } from "./plane.ts";
import { BACK, BALANCER, FRONT, type Frontend, NODE_PORT, putFrontend, SERVICE, type Tables } from "./service-way.ts";

const ZERO = { v4: "0.0.0.0", v6: "::" } as const;
const FAMILIES = ["v4", "v6"] as const;
type Word = (typeof FAMILIES)[number];
/** A frontend that nobody is behind. */
const EMPTY_PORT = 81;
/** What segmentation offloads are for; what leaves in fragments; what just passes whole through the tunnel. */
const LARGE = 3_000;
const SIZES = [
  ["TCP", { sizeBytes: 300_000 }],
  ["UDP", {}],
  ["UDP", { sizeBytes: LARGE }],
  ["UDP", { sizeBytes: 1_300, fragment: "never" }],
] as const;

/** What conntrack has seen one half of is lost, as under kube-proxy's rules. */
const FIREWALL = `table inet strict {
${["input", "forward", "output"]
  .map((hook) => `  chain ${hook} { type filter hook ${hook} priority 0; ct state invalid drop; }`)
  .join("\n")}
}`;

/** What is known of flows, in both directions. */
const FLOW_MAPS = ["ct_tcp", "ct_other", "nat", "service_flows"];

/** The pinned maps of a node. */
class NodeTables implements Tables {
  readonly #addon: Addon = loadAddon();
  readonly #root: string;

  constructor(node: TwillNode) {
    this.#root = `${node.box.root}/sys/fs/bpf/twill`;
  }

  #with<T>(map: string, work: (handle: ReturnType<Addon["mapAdopt"]>) => T): T {
    const fd = this.#addon.objGet(`${this.#root}/${map}`);
    if (fd === undefined) throw new Error(`No map is pinned at "${this.#root}/${map}"`);
    const handle = this.#addon.mapAdopt(fd);
    try {
      return work(handle);
    } finally {
      this.#addon.mapClose(handle);
    }
  }

  put(map: string, key: Uint8Array, value: Uint8Array): void {
    this.#with(map, (handle) => this.#addon.mapPut(handle, key, value));
  }

  /** No flow is known any more: an address and port that is chosen by chance again would find who answered it before. */
  forgetFlows(): void {
    for (const map of FLOW_MAPS)
      this.#with(map, (handle) => {
        for (let key = this.#addon.mapNextKey(handle); key !== undefined; key = this.#addon.mapNextKey(handle))
          this.#addon.mapDelete(handle, key);
      });
  }

  /** Switches services on, and what else is asked for. */
  serve(flags: number): void {
    const key = new Uint8Array(4);
    this.#with("config", (handle) => {
      const config = decodeConfig(this.#addon.mapGet(handle, key) ?? new Uint8Array());
      this.#addon.mapPut(handle, key, encodeConfig({ ...config, flags: config.flags | ConfigFlag.services | flags }));
    });
  }
}

/** Names of servers are words. */
const slug = (name: string) => name.replaceAll(" ", "-");

const addressOf = (pod: { readonly addresses: readonly string[] }, f: Word) => {
  const found = pod.addresses.find((a) => a.includes(":") === (f === "v6"));
  assert.ok(found !== undefined);
  return found;
};

for (const isTracked of [false, true])
  describe(`services between real nodes${isTracked ? " whose firewalls follow connections" : ""}`, {
    skip: whyNot(),
  }, () => {
    const stack = new AsyncDisposableStack();
    const responder = new Responder();
    let nodes: readonly [TwillNode, TwillNode];
    let outside: { readonly netns: string; readonly addresses: readonly string[] };
    let client: Pod;
    const backends: Record<string, { readonly netns: string; readonly addresses: readonly string[] }> = {};

    before(async () => {
      const opened = await openNodes(stack, {
        count: 2,
        config: { devices: ["eth0", "eth1"], services: { socketCgroup: "off" } },
      });
      nodes = opened as [TwillNode, TwillNode];
      outside = { netns: await joinOutside(stack, nodes[0]), addresses: OUTSIDE };
      if (isTracked) for (const node of nodes) await node.run(["nft", "-f", "-"], { input: FIREWALL });
      await startAgents(stack, nodes);
      // The way to the load balancer's addresses, and that of who answers for them without having been asked.
      for (const [to, via] of [
        [BALANCER.v4, "198.51.100.1"],
        [BALANCER.v6, "2001:db8:51::1"],
      ] as const)
        execFileSync("nsenter", [`--net=${outside.netns}`, "--", "ip", "route", "add", to, "via", via]);
      await nodes[1].run(["ip", "-6", "route", "add", "default", "via", "fd00:78::1"]);
      client = await addPod(nodes[0]);
      backends["the pod itself"] = client;
      backends["a pod of the node"] = await addPod(nodes[0]);
      backends["a pod of another node"] = await addPod(nodes[1]);
      for (const [name, i] of [
        ["the node itself", 0],
        ["another node", 1],
      ] as const)
        backends[name] = { netns: nodes[i].box.netns, addresses: [nodes[i].address, `fd00:78::${i + 1}`] };
      backends["somebody outside"] = outside;
      for (const [name, b] of Object.entries(backends)) await answerAt(responder, { name: slug(name), ...b }, BACK);
      for (const node of nodes) await node.killAgent();
    });
    after(async () => {
      responder[Symbol.dispose]();
      await stack.disposeAsync();
    });

    const fill = (f: Frontend) => {
      for (const node of nodes) {
        const tables = new NodeTables(node);
        tables.forgetFlows();
        putFrontend(tables, f);
        tables.serve(isTracked ? ConfigFlag.tracked : 0);
      }
    };

    async function ask(spec: Omit<ProbeSpec, "timeoutMs">, name: string): Promise<ProbeResult> {
      let result = await probe({ ...spec, timeoutMs: 10_000 });
      // IPv6 is told what fits the tunnel by the first large packet, and sends in smaller parts from then on.
      if (result.reason === "EMSGSIZE" && spec.sizeBytes === LARGE)
        result = await probe({ ...spec, timeoutMs: 10_000 });
      assert.equal(
        result.verdict,
        "ok",
        `${spec.protocol} of ${spec.sizeBytes ?? "few"} bytes: ${JSON.stringify(result)}`,
      );
      assert.equal(result.server, slug(name));
      return result;
    }

    for (const f of FAMILIES) {
      for (const name of [
        "a pod of the node",
        "a pod of another node",
        "the pod itself",
        "the node itself",
        "another node",
        "somebody outside",
      ])
        it(`${f}: a pod reaches ${name} by its service`, async () => {
          const target = addressOf(backends[name] ?? outside, f);
          fill({ addr: SERVICE[f], inside: [{ addr: target }] });
          for (const [protocol, o] of SIZES)
            await ask({ netns: client.netns, protocol, to: SERVICE[f], port: FRONT, ...o }, name);
        });

      for (const [name, keepsClient] of [
        ["a pod of the node", true],
        ["a pod of another node", false],
        ["the node itself", true],
        ["another node", false],
      ] as const)
        it(`${f}: somebody outside reaches ${name} by a node port`, async () => {
          const target = addressOf(backends[name] ?? outside, f);
          fill({ addr: ZERO[f], port: NODE_PORT, flags: ServiceFlag.outside, outside: [{ addr: target }] });
          const to = f === "v4" ? nodes[0].address : "fd00:78::1";
          for (const [protocol, o] of SIZES) {
            const seen = await ask({ netns: outside.netns, protocol, to, port: NODE_PORT, ...o }, name);
            assert.equal(seen.seenAddress, keepsClient ? addressOf(outside, f) : to);
          }
        });

      if (!isTracked)
        it(`${f}: somebody outside is answered by the other node itself`, async () => {
          const name = "a pod of another node";
          fill({
            addr: BALANCER[f],
            flags: ServiceFlag.outside | ServiceFlag.dsr,
            outside: [{ addr: addressOf(backends[name] ?? outside, f) }],
          });
          for (const [protocol, o] of SIZES) {
            const seen = await ask({ netns: outside.netns, protocol, to: BALANCER[f], port: FRONT, ...o }, name);
            assert.equal(seen.seenAddress, addressOf(outside, f));
          }
        });

      it(`${f}: who asks for a service that nobody is behind hears so at once`, async () => {
        fill({ addr: SERVICE[f], port: EMPTY_PORT });
        fill({ addr: ZERO[f], port: NODE_PORT + 1, flags: ServiceFlag.outside });
        for (const [netns, to, port] of [
          [client.netns, SERVICE[f], EMPTY_PORT],
          [outside.netns, f === "v4" ? nodes[0].address : "fd00:78::1", NODE_PORT + 1],
        ] as const) {
          for (const protocol of ["TCP", "UDP"] as const) {
            const { verdict, reason } = await probe({ netns, protocol, to, port, timeoutMs: 10_000 });
            assert.deepEqual([verdict, reason], ["refused", "ECONNREFUSED"], `${protocol} to ${to}`);
          }
        }
      });
    }

    it("loses nothing else on any node", async () => {
      // What is answered, and the rest of a datagram whose first part was.
      const expected = ["drop_no_backend", "drop_fragment_unknown"];
      for (const node of nodes) {
        const { entries } = JSON.parse(await node.cli("bpf", "dump", "metrics", "--json")) as {
          entries: { what: string; packets: number }[];
        };
        const lost = entries.filter((r) => r.what.startsWith("drop_") && !expected.includes(r.what) && r.packets > 0);
        assert.deepEqual(lost, []);
      }
    });
  });

/** A load balancer's address from a pool to packets from outside: given, announced by one node, taken over when that is gone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { hash32 } from "../../src/base/hash.ts";
import { runIn } from "../../src/lab/box.ts";
import { addr } from "../../src/net/addr.ts";
import { definitionsOf, OWN_GROUP } from "../../tools/crds.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { eventually } from "../fixture/service-stage.ts";

const NODES = ["node-1", "node-2", "node-3"];
const SERVICE = { apiVersion: "v1", kind: "Service", namespace: "default", name: "web" };
/** Backends are here: an address is chosen that this node is the last to announce. */
const BACKEND = "node-3";
/** From the loss of a link until another node answers: three seconds, and a machine that may be busy. */
const TAKE_OVER_MS = 60_000;

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({
    name: "test-load-balancer",
    nodes: NODES.length,
    objects: definitionsOf(OWN_GROUP) as never,
  });
  await s.pods({ web: BACKEND }, { app: "web" });
});
after(() => s?.[Symbol.asyncDispose]());

/** As agents order them. */
function orderOf(ip: string): string[] {
  const weight = (name: string) => hash32(`${addr(ip).text} ${name}`);
  return [...NODES].sort((a, b) => weight(b) - weight(a));
}

function choose(prefix: string): string {
  for (let i = 200; i < 250; i++) if (orderOf(`${prefix}${i}`)[2] === BACKEND) return `${prefix}${i}`;
  throw new Error(`No address of ${prefix} suits`);
}

const V4 = choose("192.168.77.");
const V6 = choose("fd00:77::");

function statusIps(): string[] {
  const status = s.lab.objects.get(SERVICE)?.["status"] as
    | { loadBalancer?: { ingress?: { ip: string }[] } }
    | undefined;
  return (status?.loadBalancer?.ingress ?? []).map((i) => i.ip);
}

/** Sets the wire's end of a node's link. */
async function setLink(node: string, state: "up" | "down"): Promise<void> {
  const done = await runIn(s.lab.underlay.wire, ["ip", "link", "set", `n${node.slice(5)}`, state], { isNetOnly: true });
  assert.equal(done.code, 0, done.stderr);
}

/** Hardware address that the network's router has for an address. */
async function neighbour(ip: string): Promise<string> {
  const done = await runIn(s.lab.underlay.wire, ["ip", "neigh", "show", ip], { isNetOnly: true });
  return /lladdr (\S+)/.exec(done.stdout)?.[1] ?? "";
}

const macOf = (node: string) => `02:77:00:00:00:0${node.slice(5)}`;

test("services get addresses of both families from a pool, and answer at them from outside", async () => {
  const pool = `
    apiVersion: twill.dev/v1alpha1
    kind: LoadBalancerPool
    metadata: { name: public }
    spec: { addresses: ["192.168.77.200-192.168.77.249", "fd00:77::200-fd00:77::249"] }`;
  s.lab.objects.create(parse(pool));
  s.lab.objects.apply({
    ...{ apiVersion: "v1", kind: "Service" },
    metadata: { namespace: "default", name: "web", annotations: { "twill.dev/load-balancer-ips": `${V4},${V6}` } },
    spec: {
      type: "LoadBalancer",
      selector: { app: "web" },
      ipFamilyPolicy: "RequireDualStack",
      ipFamilies: ["IPv4", "IPv6"],
      ports: [{ name: "web", port: 8000, targetPort: "web" }],
    },
  });
  await eventually(async () => assert.deepEqual(statusIps(), [V4, V6]));
  for (const ip of [V4, V6]) {
    await eventually(async () => {
      assert.equal((await s.ask("outside", "TCP", ip, 8000, 2_000)).verdict, "ok", ip);
      assert.equal(await neighbour(ip), macOf(orderOf(ip)[0] ?? ""), ip);
    });
  }
});

test("the next node answers when the link of the first is lost, and the first again when it is back", async (t) => {
  for (const ip of [V4, V6]) {
    const [first = "", second = ""] = orderOf(ip);
    await setLink(first, "down");
    const start = performance.now();
    await eventually(async () => {
      assert.equal((await s.ask("outside", "TCP", ip, 8000, 500)).verdict, "ok");
      assert.equal(await neighbour(ip), macOf(second));
    }, TAKE_OVER_MS);
    t.diagnostic(`${ip}: answered again ${((performance.now() - start) / 1000).toFixed(1)} s after the link was lost`);
    await setLink(first, "up");
    await eventually(async () => {
      assert.equal(await neighbour(ip), macOf(first));
      assert.equal((await s.ask("outside", "TCP", ip, 8000)).verdict, "ok");
    }, TAKE_OVER_MS);
  }
});

test("traffic policy Local: a node with backends announces, and they see who asks", async () => {
  s.lab.objects.patch(SERVICE, { spec: { externalTrafficPolicy: "Local" } });
  await eventually(async () => {
    const answer = await s.ask("outside", "TCP", V4, 8000);
    assert.equal(answer.verdict, "ok");
    assert.equal(answer.seenAddress, s.at("outside").addresses[0]);
    assert.equal(await neighbour(V4), macOf(BACKEND));
  });
});

test("without the service nobody answers", async () => {
  s.removeService("web");
  await eventually(async () => assert.notEqual((await s.ask("outside", "TCP", V4, 8000, 500)).verdict, "ok"));
});

/**
 * Twill in a real Kubernetes: real kube-apiserver, controllers, scheduler, kubelets, containerd. Needs Kubernetes'
 * programs, which `npm run test:cluster` builds once; without them nothing here runs, and says so.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DEMO_PORTS, describeFailure, judge, planChecks } from "../../src/lab/demo/checks.ts";
import { probe, probeAll } from "../../src/lab/probe/probe.ts";
import { Responder } from "../../src/lab/probe/responder.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { kills, lostMemory, reboots, rollingUpdate } from "./disturbed.cases.ts";
import type { KubeApi } from "./kube/api.ts";
import type { KubeCluster } from "./kube/cluster.ts";
import { apply, castOf, echoDeployment, getJson, type PodObject, untilReady } from "./kube/objects.ts";
import { cannotRun } from "./kube/programs.ts";
import { SLOW_MS } from "./kube/stage.ts";
import { MANIFEST, TwillStage } from "./kube/twill-stage.ts";

const PODS = 30;

const skip = cannotRun() ?? false;

describe("Twill in a real Kubernetes", { skip, timeout: 1_200_000 }, () => {
  let twill: TwillStage;
  let cluster: KubeCluster;
  let api: KubeApi;
  let pods: readonly PodObject[] = [];
  const stage = () => ({ cluster, api, pods });

  before(async () => {
    twill = await TwillStage.open({ hasKubeProxy: true });
    ({ cluster, api } = twill);
  });
  after(() => twill?.[Symbol.asyncDispose]());

  test("the API server takes every object of the manifest", async () => {
    const said = await cluster.kubectl(["apply", "--dry-run=server", "-f", MANIFEST]);
    assert.match(said, /daemonset\.apps\/twill created \(server dry run\)/);
  });

  test("one apply makes every node Ready", async () => {
    await twill.install();
    // Agents find them later: meanwhile the tests go on.
    await twill.defineKinds();
  });

  test("a Deployment of 30 pods is spread and ready; kubelets reach the pods they probe", async () => {
    await apply(cluster, [echoDeployment("echo", PODS)]);
    pods = await untilReady(cluster, "app=echo", PODS, SLOW_MS);
    const perNode = Object.groupBy(pods, (p) => p.spec.nodeName ?? "");
    assert.deepEqual(
      Object.values(perNode).map((p) => p?.length),
      [10, 10, 10],
    );
    assert.ok(
      pods.every((p) => p.status.podIPs?.length === 2),
      "every pod has an address of each family",
    );
  });

  test("the lab's matrix between real pods, nodes and the outside", async () => {
    const two = Object.values(Object.groupBy(pods, (p) => p.spec.nodeName ?? "")).flatMap((p) => p?.slice(0, 2) ?? []);
    const cast = await castOf(cluster, two);
    using responder = new Responder();
    for (const host of [...cast.nodes, cast.outside]) {
      await responder.serve(host, { port: DEMO_PORTS.tcp, protocol: "TCP" });
      await responder.serve(host, { port: DEMO_PORTS.udp, protocol: "UDP" });
    }
    const checks = planChecks(cast, 5000);
    const results = await probeAll(checks.map((c) => c.probe));
    const wrong = checks.flatMap((check, i) => {
      const result = results[i];
      const why = result === undefined ? "no result" : judge(check, result);
      return why === undefined ? [] : [describeFailure(check, why).text];
    });
    assert.deepEqual(wrong, []);
    assert.ok(checks.length > 800, `${checks.length} checks`);
  });

  test("what an operator asks is answered", async () => {
    const sets = await cluster.kubectl(["get", "daemonsets", "-n", "kube-system"]);
    assert.match(sets, /^twill +3 +3 +3 +3 +3 /m);
    const [node] = cluster.nodes;
    assert.ok(node !== undefined);
    const files = await node.run(["ls", "/etc/cni/net.d"]);
    assert.equal(files.trim(), "10-twill.conflist");
    const conflist = JSON.parse(await node.run(["cat", "/etc/cni/net.d/10-twill.conflist"])) as {
      plugins: { type: string }[];
    };
    assert.equal(conflist.plugins[0]?.type, "twill");
    const status = await cluster.kubectl(["exec", "-n", "kube-system", "ds/twill", "--", "twill", "status"]);
    assert.match(status, /ready/);
    const cidr = await cluster.kubectl(["get", "node", node.name, "-o", "jsonpath={.spec.podCIDR}"]);
    assert.match(cidr, /^10\.244\.\d+\.0\/24$/);
    const wide = await cluster.kubectl(["get", "pods", "-o", "wide"]);
    assert.match(wide, /10\.244\.\d+\.\d+ +node-1 /);
  });

  test("exec into a pod and ping a pod of another node", async () => {
    const from = pods.find((p) => p.spec.nodeName === "node-1");
    const to = pods.find((p) => p.spec.nodeName === "node-2");
    for (const { ip } of to?.status.podIPs ?? []) {
      const ping = ip.includes(":") ? "ping6" : "ping";
      const argv = ["exec", from?.metadata.name ?? "", "--", ping, "-c", "2", "-W", "5", ip];
      assert.match(await cluster.kubectl(argv), /2 packets transmitted, 2 packets received/);
    }
  });

  test("a policy closes pods, says so on its status, and its end opens them", async () => {
    const [a, b] = (await castOf(cluster, pods.slice(0, 2))).pods;
    const [to = ""] = b?.addresses ?? [];
    const ask = async () =>
      (await probe({ netns: a?.netns ?? "", protocol: "TCP", port: DEMO_PORTS.tcp, to, timeoutMs: 1000 })).verdict;
    assert.equal(await ask(), "ok");
    const policy = {
      apiVersion: "cilium.io/v2",
      kind: "CiliumNetworkPolicy",
      metadata: { name: "closed", namespace: "default" },
      spec: { endpointSelector: { matchLabels: { app: "echo" } }, ingress: [{}] },
    };
    await waitFor(
      "the kind to be served",
      async () => (await cluster.attemptKubectl(["get", "ciliumnetworkpolicies"])).code === 0,
      SLOW_MS,
    );
    await apply(cluster, [policy]);
    await waitFor("the policy to hold", async () => (await ask()) === "timeout", SLOW_MS);
    const condition = `jsonpath={.status.conditions[?(@.type=="Accepted")].status}`;
    const accepted = () => cluster.kubectl(["get", "ciliumnetworkpolicy", "closed", "-o", condition]);
    await waitFor("its status", async () => (await accepted()) === "True", SLOW_MS);
    assert.match(await cluster.kubectl(["get", "cnp"]), /^closed /m);
    await cluster.kubectl(["delete", "ciliumnetworkpolicy", "closed"]);
    await waitFor("its end", async () => (await ask()) === "ok", SLOW_MS);
  });

  rollingUpdate(stage);
  kills(stage);
  lostMemory(stage);
  reboots(stage);

  test("deleting the manifest and uninstalling leaves nothing on the nodes", async () => {
    await cluster.kubectl(["delete", "deployment", "echo", "--wait"]);
    await waitFor(
      "all pods to end",
      async () => {
        const { items } = await getJson<{ items: PodObject[] }>(cluster, ["pods", "--all-namespaces"]);
        return items.every((p) => p.metadata.namespace === "kube-system");
      },
      SLOW_MS,
    );
    await cluster.kubectl(["delete", "-f", MANIFEST, "--wait"], { timeoutMs: SLOW_MS });
    const agents = async () => await getJson<{ items: unknown[] }>(cluster, ["pods", "-n", "kube-system"]);
    await waitFor("the agents to end", async () => (await agents()).items.length === 0, SLOW_MS);
    for (const node of cluster.nodes) {
      await node.run(["/opt/twill/bin/twill", "uninstall"]);
      const left = await node.run([
        "sh",
        "-c",
        "ls -d /opt/twill* /run/twill /opt/cni/bin/twill* /etc/cni/net.d/*twill* /sys/fs/bpf/twill 2>/dev/null; ip -o link | grep -E 'twill|vxlan' ; ip route show proto 84; true",
      ]);
      assert.equal(left, "");
    }
  });
});

/** Part of services.test.ts: what only a whole Kubernetes shows of services. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HOME } from "../../install/image/root.ts";
import { runIn } from "../../src/lab/box.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { eventually } from "../fixture/service-stage.ts";
import { rollsUnharmed } from "../service/rolling.cases.ts";
import { SERVICES as CLUSTER_IPS } from "./kube/control.ts";
import { ECHO_IMAGE } from "./kube/echo-image.ts";
import { getJson, type PodObject } from "./kube/objects.ts";
import type { ServiceCluster } from "./kube/service-cluster.ts";
import { echoPod, SLOW_MS, type Stage, untilPodsReady } from "./kube/stage.ts";

/** {@link Stage} with pods behind services, and clients. */
export interface ServicesStage extends Stage {
  readonly services: ServiceCluster;
}

const NODE = `${HOME}/bin/node`;
const ROLLED = 6;

/** Runs JavaScript in a pod, as its own process. @returns what it printed */
function inPod({ cluster }: Stage, pod: string, script: string): Promise<string> {
  return cluster.kubectl(["exec", pod, "--", NODE, "-e", script]);
}

/** Prints what the API says to who comes with a pod's own token. */
const ASK_API = `
const { readFileSync } = require("node:fs");
const dir = "/var/run/secrets/kubernetes.io/serviceaccount/";
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const headers = { authorization: "Bearer " + readFileSync(dir + "token", "utf8") };
const options = { host, port, path: "/version", headers, ca: readFileSync(dir + "ca.crt"), timeout: 10000 };
require("node:https").get(options, (res) => { console.log(host, res.statusCode); process.exit(); }).on("error", (e) => console.log(host, e.code));
`;

/** Nothing but Twill brings a pod to the API. */
export function reachesTheApi(stage: () => ServicesStage): void {
  test("no kube-proxy is there, and pods of every node reach the API at its Service", async () => {
    const { cluster, api } = stage();
    for (const node of cluster.nodes) {
      const { code } = await node.attempt(["pgrep", "-x", "kube-proxy"]);
      assert.equal(code, 1, `no process of ${node.name} is called kube-proxy`);
      const pod = echoPod({ namespace: "default", name: `asker-${node.name}`, node: node.name, labels: {}, ports: [] });
      const spec = { ...(pod["spec"] as object), automountServiceAccountToken: true };
      await api.apply({ ...pod, spec });
    }
    const names = cluster.nodes.map((n) => `asker-${n.name}`);
    await untilPodsReady(
      stage(),
      names.map((n) => `default/${n}`),
    );
    for (const name of names)
      await eventually(async () => assert.equal(await inPod(stage(), name, ASK_API), `${CLUSTER_IPS.api} 200\n`));
  });
}

/** A pod that answers names, behind the address that kubelets tell to all pods. */
async function startDns({ cluster, api }: ServicesStage): Promise<void> {
  const meta = { namespace: "kube-system", name: "cluster-dns" };
  const rbac = "rbac.authorization.k8s.io/v1";
  const readable = { services: "", endpointslices: "discovery.k8s.io" };
  await api.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: meta });
  await api.apply({
    apiVersion: rbac,
    kind: "ClusterRole",
    metadata: { name: meta.name },
    rules: Object.entries(readable).map(([resource, group]) => ({
      apiGroups: [group],
      resources: [resource],
      verbs: ["list"],
    })),
  });
  await api.apply({
    apiVersion: rbac,
    kind: "ClusterRoleBinding",
    metadata: { name: meta.name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: meta.name },
    subjects: [{ kind: "ServiceAccount", ...meta }],
  });
  await api.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...meta, name: "kube-dns" },
    spec: { clusterIP: CLUSTER_IPS.dns, selector: { app: meta.name }, ports: [{ port: 53, protocol: "UDP" }] },
  });
  const [, node] = cluster.nodes;
  const pod = echoPod({ ...meta, node: node?.name ?? "", labels: { app: meta.name }, ports: [], account: meta.name });
  const { containers, ...spec } = pod["spec"] as { readonly containers: readonly object[] };
  const command = [NODE, `${HOME}/test/cluster/kube/cluster-dns.ts`];
  const dns = { ...spec, automountServiceAccountToken: true, containers: containers.map((c) => ({ ...c, command })) };
  await api.apply({ ...pod, spec: dns });
  await untilPodsReady({ cluster, api }, [`${meta.namespace}/${meta.name}`]);
}

/** Names are asked as a pod's programs ask: by the C library, at the address in `/etc/resolv.conf`. */
export function findsByName(stage: () => ServicesStage): void {
  test("names: a service's addresses, and a headless one's pods, by the cluster's DNS behind its own Service", async () => {
    const { services } = stage();
    await startDns(stage());
    const ips = await services.service("named", { selector: { app: "web" } });
    await services.service("bare", { selector: { app: "web" }, clusterIP: "None" });
    const pods = ["web-1", "web-2"].flatMap((p) => services.at(`default/${p}`).addresses);
    const lookUp = async (pod: string, name: string) => {
      const script = `require("node:dns").lookup("${name}", { all: true }, (e, a) => console.log(JSON.stringify(e ? [e.code] : a.map((x) => x.address))))`;
      return (JSON.parse(await inPod(stage(), pod, script)) as string[]).sort();
    };
    for (const pod of ["client-1", "client-2"]) {
      await eventually(async () => assert.deepEqual(await lookUp(pod, "named"), [...ips].sort()), SLOW_MS);
      await eventually(async () => assert.deepEqual(await lookUp(pod, "bare.default"), [...pods].sort()), SLOW_MS);
      assert.deepEqual(await lookUp(pod, "missing.default.svc.cluster.local"), ["ENOTFOUND"]);
    }
  });
}

/** From a pool to packets from outside. */
export function balancesLoad(stage: () => ServicesStage): void {
  test("a load balancer's addresses come from a pool, and answer from outside and from pods", async () => {
    const { api, services, cluster } = stage();
    await api.apply({
      apiVersion: "twill.dev/v1alpha1",
      kind: "LoadBalancerPool",
      metadata: { name: "public" },
      spec: { addresses: ["192.168.77.200-192.168.77.209", "fd00:77::200-fd00:77::209"] },
    });
    await services.service("public", {
      type: "LoadBalancer",
      selector: { app: "web" },
      ports: [{ name: "web", port: 8000, targetPort: "web" }],
    });
    const ips = await waitFor(
      "the service's addresses",
      async () => {
        const { status } = await services.serviceObject("public");
        const found = (status.loadBalancer?.ingress ?? []).map((i) => i.ip);
        return found.length === 2 && found;
      },
      SLOW_MS,
    );
    assert.match(ips.join(" "), /^192\.168\.77\.20\d fd00:77::20\d$/);
    for (const ip of ips) {
      await services.answeredBy(["web-1", "web-2"], "outside", "TCP", ip, 8000);
      await services.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", ip, 8000);
      const neighbour = await runIn(cluster.underlay.wire, ["ip", "neigh", "show", ip], { isNetOnly: true });
      assert.match(neighbour.stdout, /lladdr 02:77:00:00:00:0[123] /, `a node answers for ${ip}`);
    }
  });
}

/** See rolling.cases.ts; here the kubelet, the controllers and their delays are the real ones. */
export function rolls(stage: () => ServicesStage): void {
  test(`no connection fails while ${ROLLED} backends are replaced`, async (t: TestContext) => {
    const { api, cluster, services } = stage();
    const client = cluster.node("node-1");
    await services.pods({ client: client.name });
    interface Rolled extends PodObject {
      readonly metadata: PodObject["metadata"] & { readonly annotations?: Readonly<Record<string, string>> };
    }
    await rollsUnharmed(t, {
      stage: services,
      image: ECHO_IMAGE,
      backends: ROLLED,
      drainSeconds: 15,
      perSecond: { sockets: 50, packets: 50, outside: 50 },
      clientBox: client.box,
      apply: (deployment) => api.apply(deployment as Parameters<typeof api.apply>[0]),
      rolled: async (version, count) => {
        const isDone = async () => {
          const { items } = await getJson<{ items: readonly Rolled[] }>(cluster, ["pods", "-l", "app=rolled"]);
          const isOfVersion = (p: Rolled) => p.metadata.annotations?.["version"] === version && isPodReady(p);
          return items.length === count && items.every(isOfVersion);
        };
        await waitFor(`${count} pods of version ${version}`, isDone, SLOW_MS);
      },
    });
  });
}

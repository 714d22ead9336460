/** What tests on the real cluster ask of it and put into it. */

import { DEMO_PORTS, type DemoCast, type DemoPod } from "../../../src/lab/demo/checks.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import type { KubeCluster } from "./cluster.ts";
import { ECHO_IMAGE } from "./echo-image.ts";

/** The parts of a Pod that are looked at. */
export interface PodObject {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly status: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

function internalAddresses(node: NodeObject | undefined): string[] {
  return (node?.status.addresses ?? []).filter((a) => a.type === "InternalIP").map((a) => a.address);
}

/** Asks for a list or an object as JSON. */
export async function getJson<T>(cluster: KubeCluster, args: readonly string[]): Promise<T> {
  return JSON.parse(await cluster.kubectl(["get", ...args, "-o", "json"])) as T;
}

/** Applies objects. */
export async function apply(cluster: KubeCluster, objects: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  await cluster.kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
}

/** A Deployment of pods that answer as the lab's do. */
export function echoDeployment(name: string, replicas: number): object {
  const labels = { app: name };
  const tcp = { tcpSocket: { port: DEMO_PORTS.tcp }, periodSeconds: 1, timeoutSeconds: 5 };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: labels },
            },
          ],
          containers: [
            {
              name: "echo",
              image: ECHO_IMAGE,
              imagePullPolicy: "Never",
              env: [
                { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                { name: "ECHO_NAME", value: "default/$(POD_NAME)" },
                { name: "ECHO_PORTS", value: `${DEMO_PORTS.tcp}/TCP,${DEMO_PORTS.udp}/UDP` },
              ],
              readinessProbe: tcp,
            },
          ],
        },
      },
    },
  };
}

function isReady(pod: PodObject): boolean {
  return pod.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
}

/** Waits until so many pods of the label are ready. */
export async function untilReady(
  cluster: KubeCluster,
  label: string,
  count: number,
  deadlineMs: number,
): Promise<readonly PodObject[]> {
  const list = async () => (await getJson<{ items: readonly PodObject[] }>(cluster, ["pods", "-l", label])).items;
  try {
    return await waitFor(
      `${count} pods of ${label} to be ready`,
      async () => {
        const pods = await list();
        return pods.length === count && pods.every(isReady) && pods;
      },
      deadlineMs,
    );
  } catch (cause) {
    const described = await cluster.attemptKubectl(["describe", "pods", "-l", label]);
    throw new Error(`${String(cause)}:\n${described.stdout.slice(-4000)}`, { cause });
  }
}

interface EndpointJson {
  readonly pod?: string;
  readonly addrs: readonly string[];
  readonly netnsPath: string;
  readonly mtuBytes: number;
}

/** The network namespaces of pods, as Twill's own command on their nodes tells them. */
async function endpointsOn(cluster: KubeCluster, node: string): Promise<readonly EndpointJson[]> {
  const text = await cluster.node(node).run(["/opt/twill/bin/twill", "endpoint", "list", "--json"]);
  return JSON.parse(text) as readonly EndpointJson[];
}

/** Pods, nodes and the outside host as the demonstration's checks take them. */
export async function castOf(cluster: KubeCluster, pods: readonly PodObject[]): Promise<DemoCast> {
  const nodes = new Map<string, readonly EndpointJson[]>();
  for (const node of cluster.nodes) nodes.set(node.name, await endpointsOn(cluster, node.name));
  let mtuBytes = 0;
  const cast = pods.map((pod): DemoPod => {
    const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const node = pod.spec.nodeName ?? "";
    const endpoint = nodes.get(node)?.find((e) => e.pod === name);
    if (endpoint === undefined) throw new Error(`Twill on "${node}" knows no endpoint of pod "${name}"`);
    mtuBytes = endpoint.mtuBytes;
    const netns = `${cluster.node(node).box.root}${endpoint.netnsPath.replace(/^\/var\/run/, "/run")}`;
    return { name, node, netns, addresses: endpoint.addrs };
  });
  const { topology, underlay } = cluster;
  const known = await getJson<{ items: readonly NodeObject[] }>(cluster, ["nodes"]);
  return {
    pods: cast,
    nodes: topology.nodes.map((n) => ({
      name: n.name,
      netns: cluster.node(n.name).box.netns,
      // What the kubelet does not report is no node's to anybody: Kubernetes 1.20 tells one family.
      addresses: internalAddresses(known.items.find((o) => o.metadata.name === n.name)),
    })),
    outside: { name: "outside", netns: underlay.outside.netns, addresses: [topology.outside.v4, topology.outside.v6] },
    mtuBytes,
  };
}

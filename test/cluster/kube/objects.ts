/** What tests on the real cluster ask of it and put into it. */

import { isPodReady } from "../../../src/lab/controllers/loop.ts";
import { DEMO_PORTS, type DemoCast, type DemoHost } from "../../../src/lab/demo/checks.ts";
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
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
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

/** Without a request a pod runs when nobody else wants to: on a busy machine it would answer after seconds. */
export const ECHO_RESOURCES = { requests: { cpu: "50m" } } as const;

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
              resources: ECHO_RESOURCES,
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
        return pods.length === count && pods.every(isPodReady) && pods;
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

/** A pod's end of the network, as Twill's own command on its node tells it. */
export interface PodEnd {
  /** `namespace/name` */
  readonly name: string;
  readonly node: string;
  /** Valid on this machine. */
  readonly netns: string;
  /** IPv4 first. */
  readonly addresses: readonly string[];
  readonly mtuBytes: number;
}

async function endsOn(cluster: KubeCluster, name: string): Promise<readonly PodEnd[]> {
  const node = cluster.node(name);
  const text = await node.run(["/opt/twill/bin/twill", "endpoint", "list", "--json"]);
  return (JSON.parse(text) as readonly EndpointJson[]).map((e) => ({
    name: e.pod ?? "",
    node: name,
    netns: `${node.box.root}${e.netnsPath.replace(/^\/var\/run/, "/run")}`,
    addresses: e.addrs,
    mtuBytes: e.mtuBytes,
  }));
}

/** Every pod that Twill has attached, by `namespace/name`. */
export async function podEnds(cluster: KubeCluster): Promise<ReadonlyMap<string, PodEnd>> {
  const all = await Promise.all(cluster.nodes.map((n) => endsOn(cluster, n.name)));
  return new Map(all.flat().map((end) => [end.name, end]));
}

/** Nodes as others reach them: what the kubelet does not report is no node's to anybody, and 1.20 tells one family. */
export async function nodeEnds(cluster: KubeCluster): Promise<readonly DemoHost[]> {
  const known = await getJson<{ items: readonly NodeObject[] }>(cluster, ["nodes"]);
  return cluster.nodes.map((n) => ({
    name: n.name,
    netns: n.box.netns,
    addresses: internalAddresses(known.items.find((o) => o.metadata.name === n.name)),
  }));
}

/** Pods, nodes and the outside host as the demonstration's checks take them. */
export async function castOf(cluster: KubeCluster, pods: readonly PodObject[]): Promise<DemoCast> {
  const ends = await podEnds(cluster);
  const cast = pods.map((pod): PodEnd => {
    const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const end = ends.get(name);
    if (end === undefined) throw new Error(`Twill on "${pod.spec.nodeName}" knows no endpoint of pod "${name}"`);
    return end;
  });
  return {
    pods: cast,
    nodes: await nodeEnds(cluster),
    outside: outsideEnd(cluster),
    mtuBytes: cast[0]?.mtuBytes ?? 0,
  };
}

/** The host that is no part of the cluster. */
export function outsideEnd({ topology, underlay }: KubeCluster): DemoHost {
  return {
    name: "outside",
    netns: underlay.outside.netns,
    addresses: [topology.outside.v4, topology.outside.v6],
  };
}

/** What the parts of the test on the real cluster share: one cluster, and whom it has. */

import { isPodReady } from "../../../src/lab/controllers/loop.ts";
import { probe } from "../../../src/lab/probe/probe.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import type { KindRef, KubeApi, SentObject } from "./api.ts";
import type { KubeCluster } from "./cluster.ts";
import { ECHO_IMAGE } from "./echo-image.ts";
import { ECHO_RESOURCES, type PodEnd, type PodObject, podEnds } from "./objects.ts";
import type { TrafficEnds } from "./traffic.ts";

/** A machine with two CPUs does everything at once. */
export const SLOW_MS = 300_000;

/** A running cluster. */
export interface Stage {
  readonly cluster: KubeCluster;
  readonly api: KubeApi;
}

const POD: KindRef = { apiVersion: "v1", kind: "Pod" };

/** What makes a pod that answers. */
export interface EchoPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As `80/TCP`, under the names that policies call them. */
  readonly ports: readonly { readonly name: string; readonly containerPort: number; readonly protocol: string }[];
  readonly account?: string;
}

/** As an API takes it. It is ready once it runs: a policy may forbid what a probe over the network would need. */
export function echoPod({ namespace, name, node, labels, ports, account }: EchoPod): SentObject {
  const env = [
    { name: "ECHO_NAME", value: `${namespace}/${name}` },
    { name: "ECHO_PORTS", value: ports.map((p) => `${p.containerPort}/${p.protocol}`).join(",") },
  ];
  return {
    ...POD,
    metadata: { namespace, name, labels },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      ...(account === undefined ? {} : { serviceAccountName: account }),
      containers: [
        { name: "echo", image: ECHO_IMAGE, imagePullPolicy: "Never", resources: ECHO_RESOURCES, env, ports },
      ],
    },
  };
}

/** Makes a namespace with the accounts that pods in it have. */
export async function makeNamespace(
  { api }: Stage,
  name: string,
  labels: Readonly<Record<string, string>>,
  accounts: readonly string[] = [],
): Promise<void> {
  await api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  const kind: KindRef = { apiVersion: "v1", kind: "ServiceAccount" };
  // Kubernetes refuses pods until its controller has made this one.
  for (const account of ["default", ...accounts])
    await api.apply({ ...kind, metadata: { namespace: name, name: account } });
}

/** Waits until these pods, as `namespace/name`, are ready. @returns their ends of the network */
export async function untilPodsReady({ cluster, api }: Stage, names: readonly string[]): Promise<readonly PodEnd[]> {
  const namespaces = [...new Set(names.map((n) => n.split("/")[0] ?? ""))];
  await waitFor(
    `pods ${names.join(", ")} to be ready`,
    async () => {
      const all = (await Promise.all(namespaces.map((n) => api.list<PodObject>(POD, n)))).flat();
      const ready = new Set(all.filter(isPodReady).map((p) => `${p.metadata.namespace}/${p.metadata.name}`));
      return names.every((n) => ready.has(n));
    },
    SLOW_MS,
  );
  const ends = await podEnds(cluster);
  return names.map((name) => {
    const end = ends.get(name);
    if (end === undefined) throw new Error(`Twill knows no endpoint of pod "${name}"`);
    return end;
  });
}

const CANARY_PORT = { name: "echo", containerPort: 80, protocol: "TCP" };

/**
 * A node takes a new pod, which is reached from `from`, and is told to let it go: kubelets take some ten seconds for that, and
 * the test's end waits until no pod is left.
 */
export async function startsPods(stage: Stage, node: string, from: PodEnd, name: string): Promise<void> {
  const { api } = stage;
  const pod = echoPod({ namespace: "default", name, node, labels: { app: "canary" }, ports: [CANARY_PORT] });
  await api.create(pod);
  const [end] = await untilPodsReady(stage, [`default/${name}`]);
  for (const to of end?.addresses ?? [])
    await waitFor(
      `${to} of ${name} to be reached`,
      async () => {
        const spec = { netns: from.netns, protocol: "TCP", port: CANARY_PORT.containerPort, to } as const;
        return (await probe(spec)).server === `default/${name}`;
      },
      SLOW_MS,
    );
  await api.delete(pod);
}

/** One pod of the first node, and one of each node: near and far. */
export async function trafficEnds({ cluster }: Stage, pods: readonly PodObject[]): Promise<TrafficEnds> {
  const ends = await podEnds(cluster);
  const known = pods.flatMap((p) => ends.get(`${p.metadata.namespace}/${p.metadata.name}`) ?? []);
  const on = cluster.nodes.map((n) => known.filter((e) => e.node === n.name));
  const client = on[0]?.[0];
  const servers = [on[0]?.[1], ...on.slice(1).map((list) => list[0])].filter((e) => e !== undefined);
  if (client === undefined || servers.length !== cluster.nodes.length) throw new Error("There are too few pods");
  return { client, servers };
}

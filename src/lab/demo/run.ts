/** Runs the demonstration in a lab: makes its pods, sends its probes, tells what happens. */

import type { KubeObject, NewObject } from "../../cluster/embedded/types.ts";
import { ECHO_IMAGE } from "../kubelet/image.ts";
import type { Lab } from "../lab.ts";
import { probeAll } from "../probe/probe.ts";
import { type Check, DEMO_PORTS, type DemoCast, describeFailure, type Failure, judge, planChecks } from "./checks.ts";
import type { CellCount, DemoEvent, DemoResult } from "./events.ts";
import { explainFailures } from "./explain.ts";

/** How long parts may take before the demonstration gives up: generous, the machine may be busy. */
const READY_MS = 60_000;
/** Everybody is to answer, so that a network that works is not waited for as long. */
const PROBE_MS = 5_000;
const MAX_FAILURES = 200;
/** MTU of pods when the plugin's result does not say it: Ethernet less VXLAN over IPv4. */
const USUAL_MTU = 1_450;

/** A pod that answers on the demonstration's ports. */
export function echoPod(name: string, node: string): NewObject {
  const ports = [
    { containerPort: DEMO_PORTS.tcp, protocol: "TCP" },
    { containerPort: DEMO_PORTS.udp, protocol: "UDP" },
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "echo", node } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "echo", image: ECHO_IMAGE, ports }],
    },
  };
}

function stateOf(object: KubeObject): { readonly state: string; readonly isReady: boolean } {
  const conditions = (object["status"]?.conditions ?? []) as { type: string; status: string; message?: string }[];
  const ready = conditions.find((c) => c.type === "Ready");
  if (ready?.status === "True") return { state: "ready", isReady: true };
  const waiting = ((object["status"]?.containerStatuses ?? []) as { state?: { waiting?: { message?: string } } }[]).map(
    (c) => c.state?.waiting?.message,
  );
  return { state: waiting.find((m) => m !== undefined) ?? ready?.message ?? "waiting", isReady: false };
}

/** Tells of nodes and pods until ended. */
function narrate(lab: Lab, emit: (event: DemoEvent) => void): () => void {
  const nodes = lab.objects.watch({ apiVersion: "v1", kind: "Node" }, ({ object }) => {
    const addresses = ((object["status"]?.addresses ?? []) as { type: string; address: string }[]).filter(
      (a) => a.type === "InternalIP",
    );
    emit({ kind: "node", name: object.metadata.name, addresses: addresses.map((a) => a.address), ...stateOf(object) });
  });
  const pods = lab.objects.watch({ apiVersion: "v1", kind: "Pod", namespace: "default" }, ({ object }) => {
    const addresses = ((object["status"]?.podIPs ?? []) as { ip: string }[]).map((p) => p.ip);
    emit({
      kind: "pod",
      name: object.metadata.name,
      node: String(object["spec"]?.nodeName ?? ""),
      addresses,
      ...stateOf(object),
    });
  });
  return () => {
    nodes();
    pods();
  };
}

async function castOf(lab: Lab): Promise<DemoCast> {
  const endpoints = lab.endpoints();
  const pods = endpoints.filter((e) => e.kind === "pod");
  const nodeOf = (name: string) => {
    const [namespace = "", pod = ""] = name.split("/");
    return String(lab.objects.get({ apiVersion: "v1", kind: "Pod", namespace, name: pod })?.["spec"]?.nodeName ?? "");
  };
  const outside = endpoints.find((e) => e.kind === "outside");
  if (outside === undefined) throw new Error("The lab has no outside host");
  return {
    pods: pods.map((p) => ({ ...p, node: nodeOf(p.name) })),
    nodes: endpoints.filter((e) => e.kind === "node"),
    outside,
    mtuBytes: podMtu(lab),
  };
}

/** What the plugin said of the pods' devices. */
function podMtu(lab: Lab): number {
  for (const pod of lab.objects.list({ apiVersion: "v1", kind: "Pod", namespace: "default" })) {
    const kubelet = lab.nodes.find((n) => n.node.name === pod["spec"]?.nodeName)?.kubelet;
    const result = kubelet?.worker("default", pod.metadata.name)?.sandbox?.network?.result;
    const interfaces = (result?.["interfaces"] ?? []) as { mtu?: number; sandbox?: string }[];
    const mtu = interfaces.find((i) => i.sandbox && i.mtu)?.mtu;
    if (mtu !== undefined) return mtu;
  }
  return USUAL_MTU;
}

/** Checks are sent row by row, so that the table fills while one looks. */
async function runChecks(
  checks: readonly Check[],
  emit: (event: DemoEvent) => void,
): Promise<Pick<DemoResult, "passed" | "failed" | "matrix" | "failures">> {
  const matrix: Record<string, Record<string, Record<string, CellCount>>> = {};
  const failures: Failure[] = [];
  let passed = 0;
  let failed = 0;
  for (const row of Map.groupBy(checks, (c) => `${c.group}/${c.family}`).values()) {
    const results = await probeAll(row.map((c) => c.probe));
    for (const [column, indexes] of Map.groupBy(row.keys(), (i) => row[i]?.column.key ?? "")) {
      let count = { passed: 0, failed: 0 };
      for (const i of indexes) {
        const [check, result] = [row[i], results[i]];
        if (check === undefined || result === undefined) continue;
        const why = judge(check, result);
        count = why === undefined ? { ...count, passed: count.passed + 1 } : { ...count, failed: count.failed + 1 };
        if (why === undefined || failures.length >= MAX_FAILURES) continue;
        const failure = describeFailure(check, why);
        failures.push(failure);
        emit({ kind: "failure", failure });
      }
      const first = row[0];
      if (first === undefined) continue;
      passed += count.passed;
      failed += count.failed;
      matrix[first.group] ??= {};
      const families = matrix[first.group] ?? {};
      families[`IPv${first.family}`] = { ...families[`IPv${first.family}`], [column]: count };
      emit({ kind: "cell", group: first.group, family: first.family, column, count });
    }
  }
  return { passed, failed, matrix, failures };
}

/**
 * Runs the demonstration. The clock of its events and its result began with this process.
 * @throws Error when the lab does not get ready
 */
export async function runDemo(lab: Lab, podsPerNode: number, emit: (event: DemoEvent) => void): Promise<DemoResult> {
  const step = (text: string) => emit({ kind: "step", text, atMs: performance.now() });
  const endNarration = narrate(lab, emit);
  try {
    await lab.ready(READY_MS);
    step(`Twill's agent on ${lab.nodes.length} nodes, attached through CNI`);
    let letter = 0;
    for (let i = 0; i < podsPerNode; i++) {
      for (const n of lab.nodes) lab.objects.create(echoPod(`pod-${podName(letter++)}`, n.node.name));
    }
    const isReady = (pods: readonly KubeObject[]) => pods.length === letter && pods.every((p) => stateOf(p).isReady);
    await lab.until({ apiVersion: "v1", kind: "Pod", namespace: "default" }, isReady, READY_MS, "pods to be ready");
    step(`${letter} pods, each a process in its own namespace`);
    const cast = await castOf(lab);
    const ports = [
      { port: DEMO_PORTS.tcp, protocol: "TCP" },
      { port: DEMO_PORTS.udp, protocol: "UDP" },
    ] as const;
    await Promise.all([...cast.nodes, cast.outside].flatMap((h) => ports.map((p) => lab.responder.serve(h, p))));
    const checks = planChecks(cast, PROBE_MS);
    const found = await runChecks(checks, emit);
    step(`${checks.length} probes with real packets`);
    const notes = found.failed > 0 ? await explainFailures(lab) : [];
    for (const text of notes) emit({ kind: "note", text });
    return { ...found, notes, seconds: Math.round(performance.now()) / 1000, nodes: lab.nodes.length, pods: letter };
  } finally {
    endNarration();
  }
}

function podName(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26));
  return index < 26 ? letter : `${letter}${Math.floor(index / 26)}`;
}

/**
 * Kubernetes' own cases of NetworkPolicy as matrices of real pods on two nodes, in both families. What the kernel has no
 * sockets for, SCTP, is judged by the tables alone: src/policy/e2e.test.ts.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { E2E_CASES } from "../../src/policy/testing/e2e-cases.ts";
import { E2E_ALL, E2E_NAMESPACES, type E2eStep, e2eObjects, type Probe } from "../../src/policy/testing/e2e-model.ts";
import { e2ePolicies, e2ePorts, e2eWrongCells } from "../fixture/policy-tables.ts";

const READY_MS = 120_000;
/** Until a change of policies shows in the packets of all pods. */
const CONVERGED_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped. */
const PROBE_MS = 250;
const POLICIES = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" };

type Labels = Readonly<Record<string, string>>;
type Meta = { readonly namespace?: string; readonly name: string; readonly labels: Labels };
const metaOf = (object: object) => (object as { readonly metadata: Meta }).metadata;

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-policy-e2e", nodes: 2 });
  await lab.ready(READY_MS);
  const { namespaces, pods } = e2eObjects({ policies: [], probes: [] });
  for (const n of namespaces) lab.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { ...metaOf(n) } });
  for (const [i, pod] of pods.entries()) {
    const { namespace = "", name, labels } = metaOf(pod);
    const ports = [80, 81].flatMap((port) =>
      ["TCP", "UDP"].map((protocol) => ({
        name: `serve-${port}-${protocol.toLowerCase()}`,
        containerPort: port,
        protocol,
      })),
    );
    lab.objects.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace, name, labels },
      spec: { nodeName: `node-${(i % 2) + 1}`, containers: [{ name: "echo", image: ECHO_IMAGE, ports }] },
    });
  }
  for (const namespace of E2E_NAMESPACES)
    await lab.until(
      { apiVersion: "v1", kind: "Pod", namespace },
      (l) => l.length === 3 && l.every(isPodReady),
      READY_MS,
      `the pods of ${namespace}`,
    );
});

after(() => lab[Symbol.asyncDispose]());

function podIps(key: string): readonly [string, string] {
  const [namespace = "", name = ""] = key.split("/");
  const pod = lab.objects.get({ apiVersion: "v1", kind: "Pod", namespace, name });
  const ips = ((pod?.["status"]?.podIPs ?? []) as { ip: string }[]).map((p) => p.ip);
  return [ips.find((ip) => !ip.includes(":")) ?? "", ips.find((ip) => ip.includes(":")) ?? ""];
}

function relabel(kind: string, object: object): void {
  const { namespace = "", name, labels } = metaOf(object);
  const ref = { apiVersion: "v1", kind, namespace, name };
  const now = (lab.objects.get(ref)?.metadata.labels ?? {}) as Labels;
  const gone = Object.keys(now).filter((k) => labels[k] === undefined && k !== "kubernetes.io/metadata.name");
  const patch = { ...labels, ...Object.fromEntries(gone.map((k) => [k, null])) };
  lab.objects.patch(ref, { metadata: { labels: patch } });
}

function apply(step: E2eStep): void {
  const { namespaces, pods } = e2eObjects(step);
  for (const n of namespaces) relabel("Namespace", n);
  for (const p of pods) relabel("Pod", p);
  for (const namespace of E2E_NAMESPACES)
    for (const old of lab.objects.list({ ...POLICIES, namespace }))
      lab.objects.delete({ ...POLICIES, namespace, name: old.metadata.name });
  for (const policy of e2ePolicies(step, podIps)) lab.objects.create(policy);
}

/** What is not as the probes expect it. */
async function wrongCells(probes: readonly Probe[]): Promise<readonly string[]> {
  const asked = { ports: e2ePorts(probes), from: E2E_ALL, to: E2E_ALL, timeoutMs: PROBE_MS };
  return e2eWrongCells(probes, await lab.probe(asked));
}

describe("Kubernetes' own cases of NetworkPolicy, between real pods", () => {
  for (const c of E2E_CASES) {
    const isSctp = c.steps.every((s) => s.probes.every((p) => p.protocol === "SCTP"));
    const skip = isSctp && "the kernel has no SCTP: judged by the tables in src/policy/e2e.test.ts";
    test(`${c.number} ${c.name}`, { skip }, async () => {
      for (const [i, step] of c.steps.entries()) {
        apply(step);
        const end = Date.now() + CONVERGED_MS;
        for (;;) {
          const isLast = Date.now() > end;
          const wrong = await wrongCells(step.probes);
          if (wrong.length === 0) break;
          if (isLast) assert.deepEqual(wrong, [], `step ${i + 1}`);
        }
      }
    });
  }
});

/** What the keys `policy.reject` and `policy.mode`, and the annotation of a policy, do to real packets of real pods. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse, stringify } from "yaml";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { addPods } from "../lab/pods.ts";
import { until } from "../lab/wait.ts";

const READY_MS = 120_000;
/** Nothing is lost on this wire: what has not answered by then was dropped. */
const PROBE_MS = 400;

let lab: Lab;

before(async () => {
  lab = await startLab({ name: "test-policy-keys", nodes: 2, agentConfig: { policy: { reject: true } } });
  await lab.ready(READY_MS);
  await addPods(lab, ["a", "node-1"], ["b", "node-1"], ["c", "node-2"]);
});

after(() => lab[Symbol.asyncDispose]());

function policy(name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): void {
  const metadata = { namespace: "default", name, annotations };
  lab.objects.create({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec });
}

function withdraw(name: string): void {
  lab.objects.delete({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", namespace: "default", name });
}

/** What each probe came to, in words: `b 4 TCP ok`, `c 6 UDP EACCES`. */
async function outcomes(from: string, to: readonly string[]): Promise<string[]> {
  const all = lab.endpoints();
  const find = (name: string) => all.find((e) => e.name === `default/${name}` || e.name === name);
  const cells = to.flatMap((name) =>
    (find(name)?.addresses ?? []).flatMap((address) =>
      (["TCP", "UDP"] as const).map(async (protocol) => {
        const port = protocol === "TCP" ? 80 : 81;
        const netns = find(from)?.netns ?? "";
        const isConnectEnough = !name.includes("node");
        const found = await probe({ netns, protocol, to: address, port, timeoutMs: PROBE_MS, isConnectEnough });
        return `${name} ${address.includes(":") ? 6 : 4} ${protocol} ${found.reason ?? found.verdict}`;
      }),
    ),
  );
  return (await Promise.all(cells)).sort();
}

/** All probes to those pods come to the same by protocol and family. */
function all(to: readonly string[], of: Readonly<Record<string, string>>): string[] {
  return to
    .flatMap((name) =>
      [4, 6].flatMap((f) => ["TCP", "UDP"].map((p) => `${name} ${f} ${p} ${of[`${p}${f}`] ?? of[p] ?? of["all"]}`)),
    )
    .sort();
}

/** Resolves when the probes come to what is expected. */
async function comesTo(from: string, expected: readonly string[], what: string): Promise<void> {
  const to = [...new Set(expected.map((e) => e.split(" ")[0] ?? ""))];
  let found: string[] = [];
  await until(async () => {
    found = await outcomes(from, to);
    return found.join() === expected.join();
  }, what).catch(() => assert.deepEqual(found, expected, what));
}

/** Every agent starts anew with these keys. */
async function restartWith(keys: object): Promise<void> {
  for (const { node, box } of lab.nodes) {
    const path = join(box.root, "etc/twill/config.yaml");
    writeFileSync(path, stringify({ ...parse(readFileSync(path, "utf8")), policy: keys }));
    const agent = () => lab.agent(node.name);
    const before = agent()?.facts().restarts ?? 0;
    assert.ok(agent()?.signal("SIGKILL"), `the agent of ${node.name} runs`);
    const isBack = () => (agent()?.facts().restarts ?? 0) > before && agent()?.facts().isReady === true;
    await until(isBack, `the agent of ${node.name} to be back`, READY_MS);
  }
}

const OPEN = all(["b", "c"], { all: "ok" });
const SILENT = all(["b", "c"], { all: "TIMEOUT" });
/** Linux has words of its own for ICMP's "administratively prohibited": host unreachable, and access. */
const ANSWERED = all(["b", "c"], { TCP: "ECONNREFUSED", UDP4: "EHOSTUNREACH", UDP6: "EACCES" });
const CLOSED = { podSelector: { matchExpressions: [{ key: "app", operator: "Exists" }] }, policyTypes: ["Ingress"] };

test("policy.reject: what is denied is answered, on the same node and across nodes, until it is switched off", async () => {
  await comesTo("a", OPEN, "open without policies");
  policy("closed", CLOSED);
  await comesTo("a", ANSWERED, "answers");
  await restartWith({ reject: false });
  await comesTo("a", SILENT, "silence");
  await restartWith({ reject: true });
  await comesTo("a", ANSWERED, "answers again");
  withdraw("closed");
  await comesTo("a", OPEN, "open again");
});

test("policy.twill.dev/mode: audit counts and does not close; a policy without it closes", async () => {
  policy("audited", CLOSED, { "policy.twill.dev/mode": "audit" });
  // Both are in force together: were the audited one not read yet, the other's effect could not be told from its own.
  policy("b-only", { podSelector: {}, egress: [], policyTypes: ["Egress"] }, {});
  await comesTo("a", ANSWERED, "the policy without annotation closes");
  withdraw("b-only");
  await comesTo("a", OPEN, "the audited policy closes nothing");
  const { namespace, kind, apiVersion, name } = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    namespace: "default",
    name: "audited",
  };
  lab.objects.patch(
    { apiVersion, kind, namespace, name },
    { metadata: { annotations: { "policy.twill.dev/mode": "enforce" } } },
  );
  await comesTo("a", ANSWERED, "enforced, it closes");
  withdraw("audited");
  await comesTo("a", OPEN, "gone, all is open");
});

test("policy.mode: always closes what no policy decides, never enforces nothing, default is back to open", async () => {
  await restartWith({ mode: "always" });
  await comesTo("a", SILENT, "nothing is allowed");
  await comesTo("node-1", all(["a", "b"], { all: "ok" }), "a pod's own node reaches it: probes come from there");
  policy("open", { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ["Ingress", "Egress"] });
  await comesTo("a", OPEN, "what a policy allows is allowed");
  withdraw("open");
  policy("closed", CLOSED);
  await restartWith({ mode: "never" });
  await comesTo("a", OPEN, "no policy is enforced");
  await restartWith({});
  await comesTo("a", SILENT, "the policy is");
  withdraw("closed");
  await comesTo("a", OPEN, "open");
});

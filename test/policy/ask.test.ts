/** A running cluster asked about its policies by the command line, and what is said held against packets. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runCli } from "../../src/cli/testing.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";

const READY_MS = 120_000;
/** Until the policies show in the packets of all pods. */
const CONVERGED_MS = 120_000;
const PROBE_MS = 250;
const PODS = ["shop/web", "shop/db", "tools/shell"];
const PORTS = "80/TCP,81/UDP,ICMP";

let lab: Lab;

const policy = (name: string, spec: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { namespace: "shop", name },
  spec,
});
const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });

function pod(key: string, nodeName: string): object {
  const [namespace = "", name = ""] = key.split("/");
  const ports = [
    { name: "http", containerPort: 80, protocol: "TCP" },
    { containerPort: 81, protocol: "UDP" },
  ];
  const spec = { nodeName, containers: [{ name: "echo", image: ECHO_IMAGE, ports }] };
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name, labels: { app: name } }, spec };
}

before(async () => {
  lab = await startLab({ name: "test-policy-ask", nodes: 2 });
  await lab.ready(READY_MS);
  for (const name of ["shop", "tools"]) lab.objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  for (const [i, key] of PODS.entries()) lab.objects.create(pod(key, `node-${(i % 2) + 1}`) as never);
  const db = { ...app("db"), policyTypes: ["Ingress"], ingress: [{ from: [app("web")], ports: [{ port: "http" }] }] };
  const web = { ...app("web"), policyTypes: ["Egress"], egress: [{ to: [app("db")] }] };
  lab.objects.create(policy("db", db) as never);
  lab.objects.create(policy("web", web) as never);
  for (const namespace of ["shop", "tools"])
    await lab.until(
      { apiVersion: "v1", kind: "Pod", namespace },
      (all) =>
        all.every((p) =>
          (p["status"]?.conditions as { type: string; status: string }[] | undefined)?.some(
            (c) => c.type === "Ready" && c.status === "True",
          ),
        ),
      READY_MS,
      `the pods of ${namespace}`,
    );
});

after(() => lab[Symbol.asyncDispose]());

async function ask(...words: string[]): Promise<string> {
  const { code, out, err } = await runCli(["policy", ...words, "--kubeconfig", lab.kubeconfig]);
  assert.deepEqual([code, err], [0, ""], words.join(" "));
  return out;
}

test("what the command says of every flow is what packets find", async () => {
  const said = JSON.parse(await ask("matrix", "--nodes", "--ports", PORTS, "--json"));
  assert.deepEqual(Object.keys(said["80/TCP"]).sort(), [...PODS, "node-1", "node-2"].sort());
  const ports = [
    { protocol: "TCP", port: 80 },
    { protocol: "UDP", port: 81 },
    { protocol: "ICMP", port: 0 },
  ] as const;
  const ends = [...PODS, "node-1", "node-2"];
  const end = Date.now() + CONVERGED_MS;
  for (;;) {
    const isLast = Date.now() > end;
    const found = await lab.probe({ ports, from: ends, to: ends, timeoutMs: PROBE_MS });
    const isSame = JSON.stringify(sorted(found)) === JSON.stringify(sorted(said));
    if (isSame) break;
    if (isLast) assert.deepEqual(found, said);
  }
  const words = Object.values(said["80/TCP"]).flatMap((row) => Object.values(row as object));
  assert.ok(words.includes("ok") && words.includes("timeout"));
});

/** With keys in order, at every depth. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([k, v]) => [k, sorted(v)]));
}

test("explain over $KUBECONFIG", async () => {
  const words = ["policy", "explain", "--from", "tools/shell", "--to", "shop/db", "--port", "http/TCP"];
  const { code, out } = await runCli(words, "", { KUBECONFIG: lab.kubeconfig });
  assert.equal(code, 0);
  assert.match(out, /^IPv4 {2}10\.244\.1\.\d+ → 10\.244\.2\.\d+ {2}DENIED$/m);
  assert.match(out, /ingress of shop\/db: DENIED, end of tier default/);
  assert.match(out, /spec\.ingress\[0\] of NetworkPolicy shop\/db allows this traffic, but not this source/);
});

test("explain names addresses of the running cluster", async () => {
  const [ip = ""] = (
    lab.objects.get({ apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web" })?.["status"]?.podIPs ?? []
  ).map((p: { ip: string }) => p.ip);
  assert.match(
    await ask("explain", "--from", ip, "--to", "shop/db", "--port", "80"),
    /^shop\/web → shop\/db {2}80\/TCP/,
  );
});

test("an API that does not answer", async () => {
  const words = ["policy", "explain", "--from", "a", "--to", "b", "--port", "80", "--timeout", "1", "--kubeconfig"];
  const none = await runCli([...words, "/proc/none/kubeconfig"]);
  assert.equal(none.code, 1);
  assert.match(none.err, /kubeconfig "\/proc\/none\/kubeconfig"/);
  const nowhere = await runCli(words.slice(0, -1));
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /Cannot find a Kubernetes API: give a kubeconfig/);
});

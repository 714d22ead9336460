/**
 * The lab's kubelet, API and streams, with Debian's reference plugins instead of Twill: a judge of our runtime side.
 *
 * ```mermaid
 * flowchart LR
 *   kubectl --> api[embedded API] --> kubelet --> bridge & portmap
 * ```
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { KubeObject } from "../../src/cluster/embedded/types.ts";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { type Lab, startLab } from "../../src/lab/lab.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { runProcess } from "../../src/lab/run.ts";
import { cannotExec, kubectlOnPath } from "../cluster/kubectl.ts";
import { until } from "./wait.ts";

const READY_MS = 180_000;
let lab: Lab;
const errors: string[] = [];

before(async () => {
  const plugins = (ranges: readonly string[]) => [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        ranges: ranges.map((subnet) => [{ subnet }]),
        routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  lab = await startLab({
    name: "test-kubelet",
    nodes: 1,
    conflist: (_node, ranges) => ({ cniVersion: "1.0.0", name: "reference", plugins: plugins(ranges) }),
    onError: (error, doing) => errors.push(`${doing}: ${String(error)}`),
  });
  await lab.ready(READY_MS);
});

after(async () => {
  await lab[Symbol.asyncDispose]();
  assert.equal(existsSync(lab.directory), false);
  assert.deepEqual(errors, []);
});

function pod(name: string, spec: object): void {
  lab.objects.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { terminationGracePeriodSeconds: 2, ...spec } as never,
  });
}

const shell = (script: string, more: object = {}) => ({
  name: "c",
  image: "none",
  command: ["sh", "-c", script],
  ...more,
});
const ref = (name: string) => ({ apiVersion: "v1", kind: "Pod", namespace: "default", name });
const get = (name: string) => lab.objects.get(ref(name));
const status = (name: string) => get(name)?.["status"];
const select = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: "default",
  fieldSelector: `metadata.name=${name}`,
});
const phase = (name: string, want: string) =>
  lab.until(select(name), ([p]) => p?.["status"]?.phase === want, READY_MS, `pod ${name} to be ${want}`);
const isReady = ([p]: readonly KubeObject[]) => p !== undefined && isPodReady(p);
const ready = (name: string) => lab.until(select(name), isReady, READY_MS, `pod ${name} to be ready`);
const gone = (name: string) => lab.until(select(name), (l) => l.length === 0, READY_MS, `pod ${name} to be gone`);

function kubectl(args: readonly string[], input?: string) {
  const env = { PATH: process.env["PATH"] ?? "", KUBECONFIG: lab.kubeconfig, HOME: "/nonexistent" };
  return runProcess(["kubectl", ...args], { env, timeoutMs: READY_MS, ...(input === undefined ? {} : { input }) });
}

test("a pod that ends is Succeeded or Failed by its policy, keeps its log and gives its address back", async () => {
  pod("good", { restartPolicy: "Never", containers: [shell("echo out; echo err >&2")] });
  pod("bad", { restartPolicy: "Never", containers: [shell("exit 7")] });
  await Promise.all([phase("good", "Succeeded"), phase("bad", "Failed")]);
  assert.equal(status("bad").containerStatuses[0].state.terminated.exitCode, 7);
  const log = lab.node("node-1").kubelet.worker("default", "good")?.container("c")?.log(false);
  assert.deepEqual(
    log
      ?.lines()
      .map((l) => `${l.stream} ${l.text}`)
      .toSorted(),
    ["stderr err", "stdout out"],
  );
  await until(
    () => lab.node("node-1").kubelet.worker("default", "good")?.sandbox === undefined,
    "the sandbox to be closed",
  );
  for (const name of ["good", "bad"]) lab.objects.delete(ref(name));
  await Promise.all([gone("good"), gone("bad")]);
});

test("init containers run one after another before the others", async () => {
  const init = (name: string, script: string) => ({ name, image: "none", command: ["sh", "-c", script] });
  const file = `/run/lab/init-${process.pid}`;
  const containers = [shell(`cat ${file}; sleep 1000`)];
  pod("init", { initContainers: [init("i1", `echo 1 > ${file}`), init("i2", `echo 2 >> ${file}`)], containers });
  await ready("init");
  await until(
    () => lab.node("node-1").kubelet.worker("default", "init")?.container("c")?.log(false)?.lines().length === 2,
    "the container's output",
  );
  lab.objects.delete(ref("init"));
  await gone("init");
});

test("a container that fails is restarted, its last end is shown", async () => {
  pod("again", { containers: [shell("sleep 0.05; exit 4")] });
  await lab.until(
    select("again"),
    ([p]) => (p?.["status"]?.containerStatuses?.[0]?.restartCount ?? 0) >= 2,
    READY_MS,
    "two restarts",
  );
  assert.equal(status("again").containerStatuses[0].lastState.terminated.exitCode, 4);
  assert.equal(status("again").phase, "Running");
  lab.objects.delete(ref("again"));
  await gone("again");
});

test("deletion is graceful: SIGTERM is heard, a deaf container is killed, and nothing stays in the namespace", async () => {
  pod("polite", {
    // It ends by itself, as soon as it gets to it.
    terminationGracePeriodSeconds: 60,
    containers: [shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")],
  });
  pod("deaf", {
    terminationGracePeriodSeconds: 1,
    containers: [shell("trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 0.05; done")],
  });
  await Promise.all([ready("polite"), ready("deaf")]);
  const kubelet = lab.node("node-1").kubelet;
  const log = kubelet.worker("default", "polite")?.container("c")?.log(false);
  const lines: string[] = [];
  log?.follow((line) => lines.push(line?.text ?? "(end)"));
  await until(() => log?.lines().length === 1, "the polite one to be up");
  await until(
    () => kubelet.worker("default", "deaf")?.container("c")?.log(false)?.lines().length === 1,
    "the deaf one to be up",
  );
  for (const name of ["polite", "deaf"]) lab.objects.delete(ref(name));
  await Promise.all([gone("polite"), gone("deaf")]);
  assert.deepEqual(lines.slice(-2), ["bye", "(end)"]);
  await until(() => readdirSync(`${lab.node("node-1").box.root}/run/netns`).length === 0, "all namespaces to be gone");
});

test("hostPort reaches the pod by portmap; a pod on the node's network has the node's addresses", async () => {
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  pod("mapped", { containers: [{ name: "c", image: "twill.dev/echo", ports }] });
  pod("onhost", {
    hostNetwork: true,
    containers: [{ name: "c", image: "twill.dev/echo", ports: [{ containerPort: 9090 }] }],
  });
  await Promise.all([ready("mapped"), ready("onhost")]);
  assert.deepEqual(
    status("onhost").podIPs.map((p: { ip: string }) => p.ip),
    ["192.168.77.11", "fd00:77::11"],
  );
  const at = (port: number) =>
    probe({ netns: lab.underlay.outside.netns, protocol: "TCP", to: "192.168.77.11", port, timeoutMs: 20_000 });
  const [mapped, onhost] = await Promise.all([at(8080), at(9090)]);
  assert.equal(mapped.server, "default/mapped", JSON.stringify(mapped));
  assert.equal(onhost.server, "default/onhost", JSON.stringify(onhost));
  for (const name of ["mapped", "onhost"]) lab.objects.delete(ref(name));
  await Promise.all([gone("mapped"), gone("onhost")]);
});

test("an unknown image says what would work, a pod that fits nowhere says why", async () => {
  pod("nginx", { containers: [{ name: "web", image: "nginx" }] });
  pod("nowhere", { nodeSelector: { disk: "tape" }, containers: [shell("true")] });
  await lab.until(
    select("nginx"),
    ([p]) => /The lab has no images/.test(p?.["status"]?.containerStatuses?.[0]?.state?.waiting?.message ?? ""),
    READY_MS,
    "the explanation",
  );
  await lab.until(
    select("nowhere"),
    ([p]) => /didn't match the node selector/.test(JSON.stringify(p?.["status"] ?? {})),
    READY_MS,
    "the reason",
  );
  for (const name of ["nginx", "nowhere"]) lab.objects.delete(ref(name));
  await Promise.all([gone("nginx"), gone("nowhere")]);
});

async function kubectlOk(args: readonly string[], input?: string): Promise<string> {
  const r = await kubectl(args, input);
  assert.equal(r.code, 0, `kubectl ${args.join(" ")}: ${r.stderr}`);
  return r.stdout;
}

const echoManifest = (name: string) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "echo", image: "twill.dev/echo", ports: [{ containerPort: 80 }] }] },
  });

test("kubectl runs, shows and deletes pods, and prints their logs", async (t) => {
  if (kubectlOnPath() === undefined) return t.skip("no kubectl on PATH");
  await kubectlOk(["apply", "-f", "-"], echoManifest("web"));
  await kubectlOk(["wait", "--for=condition=Ready", "pod/web", "--timeout=170s"]);
  const wide = await kubectlOk(["get", "pods", "-o", "wide"]);
  assert.match(wide, /web\s+1\/1\s+Running\s+0\s+\S+\s+10\.244\.1\.\d+\s+node-1/);
  const cidr = await kubectlOk(["get", "node", "node-1", "-o", "jsonpath={.spec.podCIDR}"]);
  assert.equal(cidr, "10.244.1.0/24");
  assert.match(await kubectlOk(["logs", "web"]), /ready: default\/web serves 80\/TCP/);
  await kubectlOk(["delete", "pod", "web", "--wait=true", "--timeout=170s"]);
});

test("kubectl enters pods, with and without a terminal", async (t) => {
  const cannot = cannotExec(kubectlOnPath());
  if (cannot !== undefined) return t.skip(cannot);
  await kubectlOk(["apply", "-f", "-"], echoManifest("entered"));
  await kubectlOk(["wait", "--for=condition=Ready", "pod/entered", "--timeout=170s"]);
  assert.equal(await kubectlOk(["exec", "entered", "--", "cat", "/proc/sys/kernel/hostname"]), "entered\n");
  assert.equal(await kubectlOk(["exec", "-i", "entered", "--", "cat"], "hello"), "hello");
  assert.equal((await kubectl(["exec", "entered", "--", "sh", "-c", "exit 3"])).code, 3);
  const command = "kubectl exec -it entered -- sh -c 'tty && stty size'";
  const tty = await runProcess(["script", "-qec", command, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", KUBECONFIG: lab.kubeconfig, HOME: "/nonexistent", TERM: "xterm" },
  });
  assert.match(tty.stdout, /\/dev\/pts\/\d+/, tty.stderr);
  await kubectlOk(["delete", "pod", "entered", "--wait=true", "--timeout=170s"]);
});

test("a Deployment runs, scales, rolls and goes with all its pods", async (t) => {
  if ((await runProcess(["sh", "-c", "command -v kubectl"])).code !== 0) return t.skip("no kubectl on PATH");
  const ok = async (...args: string[]) => {
    const r = await kubectl(args);
    assert.equal(r.code, 0, `kubectl ${args.join(" ")}: ${r.stderr}`);
    return r.stdout;
  };
  const image = "twill.dev/echo";
  await ok("create", "deployment", "web", `--image=${image}`);
  await ok("scale", "deployment", "web", "--replicas=3");
  await ok("rollout", "status", "deployment", "web", "--timeout=170s");
  const names = async () =>
    (await ok("get", "pods", "-l", "app=web", "-o", "name"))
      .trim()
      .split("\n")
      .filter((n) => n !== "");
  const first = await names();
  assert.equal(first.length, 3);
  await ok("rollout", "restart", "deployment", "web");
  await ok("rollout", "status", "deployment", "web", "--timeout=170s");
  await lab.until(
    { ...select("x"), fieldSelector: "", labelSelector: "app=web" },
    (l) => l.length === 3,
    READY_MS,
    "the old pods to go",
  );
  assert.equal((await names()).filter((n) => first.includes(n)).length, 0);
  await ok("delete", "deployment", "web", "--wait=true");
  await lab.until(
    { ...select("x"), fieldSelector: "", labelSelector: "app=web" },
    (l) => l.length === 0,
    READY_MS,
    "its pods to go",
  );
});

test("kubectl run -i and attach join a container's own command", async (t) => {
  const version = await runProcess(["sh", "-c", "kubectl version --client -o json"]);
  const minor = Number(/"minor": "(\d+)/.exec(version.stdout)?.[1] ?? 0);
  if (minor < 31) return t.skip("attach needs a kubectl with WebSocket: 1.31 or newer");
  const script = 'read line; echo "got $line"; read more; echo "and $more"';
  const run = await kubectl(
    ["run", "joined", "-i", "--rm", "--restart=Never", "--image=none", "--command", "--", "sh", "-c", script],
    "one\ntwo\n",
  );
  assert.match(run.stdout, /got one\nand two/, run.stderr);
  await gone("joined");
  pod("term", { containers: [shell("stty size; cat", { stdin: true, tty: true })] });
  await ready("term");
  const env = { PATH: process.env["PATH"] ?? "", KUBECONFIG: lab.kubeconfig, HOME: "/nonexistent", TERM: "xterm" };
  const attached = spawn("script", ["-qec", "kubectl attach -it term", "/dev/null"], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let seen = "";
  attached.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
  });
  // What is typed before kubectl listens is lost: type until the terminal echoes it and cat repeats it.
  await until(() => {
    attached.stdin.write("hello\n");
    return /hello\r\nhello\r\nhello\r\nhello/.test(seen);
  }, "what was typed to come back");
  attached.kill("SIGKILL");
  lab.objects.delete(ref("term"));
  await gone("term");
});

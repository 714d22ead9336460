/** The lab from a user's shell: up, status, kubectl, exec, probe, down; and what a killed one leaves. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isAlive } from "../../src/lab/process.ts";
import { runProcess } from "../../src/lab/run.ts";
import { labDirectory, readState, sweep } from "../../src/lab/state.ts";
import { cannotExec, kubectlOnPath } from "../cluster/kubectl.ts";
import { until } from "./wait.ts";

const MAIN = fileURLToPath(new URL("../../src/lab/main.ts", import.meta.url));
const NAME = "test-command";
const DEADLINE_MS = 120_000;

function lab(...words: string[]) {
  return runProcess([process.execPath, MAIN, ...words], { timeoutMs: DEADLINE_MS });
}

async function ok(...words: string[]): Promise<string> {
  const r = await lab(...words);
  assert.equal(r.code, 0, `lab ${words.join(" ")}: ${r.stderr}${r.stdout}`);
  return r.stdout;
}

async function kubectl(...words: string[]): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", KUBECONFIG: `${labDirectory(NAME)}/kubeconfig`, HOME: "/nonexistent" };
  const r = await runProcess(["kubectl", ...words], { env, timeoutMs: DEADLINE_MS });
  assert.equal(r.code, 0, `kubectl ${words.join(" ")}: ${r.stderr}`);
  return r.stdout;
}

async function agentPod(): Promise<string> {
  return (await kubectl("get", "pods", "-n", "kube-system", "-o", "name")).split("\n")[0] ?? "";
}

before(async () => {
  assert.match(
    await ok("up", "--name", NAME, "--nodes", "2"),
    /export KUBECONFIG=\/run\/twill-lab\/test-command\/kubeconfig/,
  );
});

after(async () => {
  await lab("down", "--name", NAME);
});

test("a second lab of the name is refused with what to do", async () => {
  const r = await lab("up", "--name", NAME);
  assert.equal(r.code, 1);
  assert.match(
    r.stderr,
    /Lab "test-command" is up already \(process \d+\): "twill lab down --name test-command" would end it/,
  );
});

test("status lists nodes and pods", async () => {
  const [s] = JSON.parse(await ok("status", "--name", NAME, "--json"));
  assert.deepEqual(
    s.nodes.map((n: { name: string; notReady: unknown }) => [n.name, n.notReady]),
    [
      ["node-1", null],
      ["node-2", null],
    ],
  );
  assert.match(await ok("status", "--name", NAME), /● node-2 {2}192\.168\.77\.12 fd00:77::12/);
});

test("kubectl sees the DaemonSet and its log", async (t) => {
  if ((await runProcess(["sh", "-c", "command -v kubectl"])).code !== 0) return t.skip("no kubectl on PATH");
  // Its controller writes the numbers when it hears that the pods are ready.
  const set = async () => /twill\s+2\s+2\s+2\s+2\s+2/.test(await kubectl("get", "daemonsets", "-n", "kube-system"));
  await until(set, "the DaemonSet's status");
  assert.match(await kubectl("logs", "-n", "kube-system", await agentPod()), /"msg":"ready"/);
});

test("kubectl enters an agent's pod to ask it", async (t) => {
  const cannot = cannotExec(kubectlOnPath());
  if (cannot !== undefined) return t.skip(cannot);
  const output = await kubectl("exec", "-n", "kube-system", await agentPod(), "--", "twill", "status");
  assert.match(output, /^node-\d\s+ready/);
});

test("pods from kubectl reach each other, and the probe prints who reaches whom", async (t) => {
  if ((await runProcess(["sh", "-c", "command -v kubectl"])).code !== 0) return t.skip("no kubectl on PATH");
  const containers = [
    { name: "e", image: "twill.dev/echo", ports: [{ containerPort: 80 }, { containerPort: 81, protocol: "UDP" }] },
  ];
  for (const name of ["a", "b"]) {
    const overrides = JSON.stringify({ apiVersion: "v1", spec: { containers } });
    await kubectl("run", name, "--image=twill.dev/echo", "--restart=Always", `--overrides=${overrides}`);
  }
  await kubectl("wait", "--for=condition=Ready", "pod/a", "pod/b", "--timeout=110s");
  const matrix = JSON.parse(
    await ok("probe", "--name", NAME, "--ports", "80/TCP,81/UDP,82/TCP,ICMP", "--timeout", "5000", "--json"),
  );
  const cell = (port: string, from: string, to: string) => matrix[port][from][to];
  for (const port of ["80/TCP", "81/UDP", "ICMP"]) {
    for (const from of ["default/a", "default/b", "node-1", "node-2"]) {
      for (const to of ["default/a", "default/b", "node-1", "node-2", "outside"])
        assert.equal(cell(port, from, to), "ok", `${port} ${from} ${to}`);
    }
  }
  assert.equal(cell("82/TCP", "default/a", "default/b"), "refused");
  assert.equal(cell("80/TCP", "outside", "default/a"), "timeout");
  assert.equal(cell("80/TCP", "outside", "node-1"), "ok");
  const pair = ["--from", "a", "--to", "default/b", "--timeout", "10000"];
  const some = await ok("probe", "--name", NAME, "--ports", "80", ...pair, "--json");
  assert.deepEqual(JSON.parse(some), { "80/TCP": { "default/a": { "default/b": "ok" } } });
  const nobody = await lab("probe", "--name", NAME, "--ports", "80", "--to", "nobody", "--json");
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /Cannot probe "nobody": .*default\/a.* can be probed/);
});

test("exec runs commands on nodes and in pods, and gives their status", async () => {
  assert.equal(await ok("exec", "--name", NAME, "node-2", "--", "cat", "/proc/sys/kernel/hostname"), "node-2\n");
  assert.match(await ok("exec", "--name", NAME, "default/a", "ip", "-br", "address"), /eth0\S*\s+UP\s+10\.244\./);
  assert.match(await ok("exec", "--name", NAME, "outside", "--", "ip", "-br", "address"), /198\.51\.100\.10/);
  assert.equal((await lab("exec", "--name", NAME, "a", "--", "sh", "-c", "exit 5")).code, 5);
  assert.match(
    (await lab("exec", "--name", NAME, "nobody", "--", "true")).stderr,
    /"nobody" does not run in lab "test-command": node-1, node-2, default\/a/,
  );
});

test("down ends it and leaves nothing; asking again is no error", async () => {
  const state = readState(NAME);
  assert.ok(state !== undefined && state.boxes.length > 0);
  assert.match(await ok("down", "--name", NAME), /is down/);
  for (const id of [state.owner, ...state.boxes]) assert.equal(isAlive(id), false);
  assert.equal(existsSync(labDirectory(NAME)), false);
  assert.match(await ok("down", "--name", NAME), /No lab "test-command" is up/);
  assert.match((await lab("probe", "--name", NAME, "--ports", "80")).stderr, /No lab "test-command" is up/);
});

test("what a killed lab leaves ends by itself, and the next one sweeps its files", async () => {
  const name = "test-killed";
  sweep(name);
  await ok("up", "--name", name, "--nodes", "1");
  const state = readState(name);
  assert.ok(state !== undefined);
  process.kill(state.owner.pid, "SIGKILL");
  await until(
    () => [state.owner, ...state.boxes].every((id) => !isAlive(id)),
    "every process of the killed lab to end",
  );
  assert.equal(existsSync(labDirectory(name)), true);
  assert.match(await ok("status"), /Lab "test-killed" was killed: "twill lab down --name test-killed" removes/);
  assert.match(await ok("down", "--name", name), /Swept what lab "test-killed" left/);
  assert.equal(existsSync(labDirectory(name)), false);
});

test("a demonstration ends with the command that started it, even when that is killed", async () => {
  const name = "test-orphan";
  sweep(name);
  const child = spawn(process.execPath, [MAIN, "--name", name, "--nodes", "1"], { stdio: "ignore" });
  await until(() => (readState(name)?.boxes.length ?? 0) > 0, "the lab to be made");
  const state = readState(name);
  child.kill("SIGKILL");
  await until(() => [state!.owner, ...state!.boxes].every((id) => !isAlive(id)), "every process to end");
  await until(() => !existsSync(labDirectory(name)), "its directory to be removed");
});

test("what is interrupted before it is up leaves nothing, whether it was to stay or not", async () => {
  const name = "test-interrupted";
  for (const words of [["up"], ["--keep"]]) {
    sweep(name);
    const child = spawn(process.execPath, [MAIN, ...words, "--name", name, "--nodes", "1"], { stdio: "ignore" });
    const ended = once(child, "exit");
    await until(() => (readState(name)?.boxes.length ?? 0) > 0, "the lab to be made");
    const state = readState(name);
    child.kill("SIGINT");
    assert.deepEqual(await ended, [130, null], words.join(" "));
    await until(() => [state!.owner, ...state!.boxes].every((id) => !isAlive(id)), "every process to end");
    assert.equal(existsSync(labDirectory(name)), false, words.join(" "));
  }
});

test("down ends a lab that is still being made", async () => {
  const name = "test-early-down";
  sweep(name);
  const child = spawn(process.execPath, [MAIN, "up", "--name", name, "--nodes", "1"], { stdio: "ignore" });
  const ended = once(child, "exit");
  await until(() => readState(name) !== undefined, "the lab to be begun");
  assert.match(await ok("down", "--name", name), /is down/);
  await ended;
  assert.equal(existsSync(labDirectory(name)), false);
});

test("options that make no sense are refused before anything is made", async () => {
  const wrong = join(tmpdir(), `twill-lab-config-${process.pid}.yaml`);
  writeFileSync(wrong, "tunnel: { port: 99999 }\nmtuu: 1400\n");
  const cases: [string[], RegExp][] = [
    [["up", "--nodes", "0"], /1 to 200 are possible/],
    [["up", "--name", "Not/OK"], /is not a lab name/],
    [["probe", "--ports", "80/SCTP"], /SCTP cannot be probed/],
    [["probe", "--ports", "80", "--family", "5"], /"5" is not a family/],
    [["up", "--underlay", "5"], /"5" is not a family/],
    [["up", "--config", wrong], /tunnel.port: 99999 is more than 65535\n.*mtuu.*did you mean "mtu"/],
    [
      ["up", "--config", "/nonexistent.yaml"],
      /Cannot read the agents' configuration "\/nonexistent.yaml": .*no such file/,
    ],
  ];
  for (const [words, message] of cases) {
    const r = await lab(...words);
    assert.notEqual(r.code, 0, words.join(" "));
    assert.match(r.stderr, message);
  }
  rmSync(wrong);
  assert.equal((await lab("up", "--nodes", "0")).code, 2);
  assert.equal((await lab("--help")).code, 0);
});

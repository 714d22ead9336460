/** `twill lab …`: the commands, for the lab's own main and for the command line of Twill. */

import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { parse } from "yaml";
import { formatMatrix } from "../policy/ask/matrix-text.ts";
import { type AgentConfig, agentConfig } from "./agent-set.ts";
import { askLab } from "./control.ts";
import type { LabStatus } from "./daemon.ts";
import type { DemoResult } from "./demo/events.ts";
import { openScreen } from "./demo/screen.ts";
import { runInTerminal } from "./exec.ts";
import { type Launched, launch } from "./launch.ts";
import { type Matrix, parsePorts } from "./probe/matrix.ts";
import { isAlive, signalProcess } from "./process.ts";
import { labDirectory, listLabs, readState, sweep, sweepAll } from "./state.ts";
import { MAX_NODES } from "./topology.ts";

const DEFAULT_NAME = "lab";
const PODS_PER_NODE = 2;
const DOWN_MS = 30_000;

/** Where commands print. */
export interface LabOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const STANDARD: LabOutput = { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) };

function nodeCount(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > MAX_NODES) throw new InvalidArgumentError(`1 to ${MAX_NODES} are possible.`);
  return n;
}

function mtu(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1350 || n > 9000) throw new InvalidArgumentError("1350 to 9000 are possible.");
  return n;
}

type Families = readonly (4 | 6)[];

function familiesOf(text: string): Families {
  const found: Families | undefined = { "4": [4] as const, "6": [6] as const, both: [4, 6] as const }[text];
  if (found === undefined) throw new InvalidArgumentError(`"${text}" is not a family: 4, 6 or both`);
  return found;
}

function familiesOption(flags: string, description: string): Option {
  return new Option(flags, description).default([4, 6], "both").argParser(familiesOf);
}

/** @throws Error with everything that an agent would refuse: it would do so on each node, a minute later */
async function readAgentConfig(path: string | undefined): Promise<AgentConfig> {
  if (path === undefined) return {};
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`Cannot read the agents' configuration "${path}": ${(error as Error).message.trim()}`, {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`"${path}" must hold a map of configuration keys`);
  const own = value as AgentConfig;
  // The schema takes longer to load than everything else here: only where it is needed.
  const { ConfigError, readConfig } = await import("../agent/config/config.ts");
  const read = readConfig(agentConfig("node-1", own), "node-1");
  if (!read.ok) throw new ConfigError(`"${path}"`, read.error);
  return own;
}

interface MakeOptions {
  readonly name?: string;
  readonly nodes: number;
  readonly config?: string;
  readonly mtu?: number;
  readonly underlay: Families;
}

async function orderOf(o: MakeOptions, podsPerNode: number, isKept: boolean) {
  return {
    // A demonstration that leaves nothing needs no name to be found by, and never stands in another lab's way.
    name: o.name ?? (isKept ? DEFAULT_NAME : `demo-${process.pid}`),
    nodes: o.nodes,
    agentConfig: await readAgentConfig(o.config),
    underlay: o.underlay,
    podsPerNode,
    isKept,
    ...(o.mtu === undefined ? {} : { mtuBytes: o.mtu }),
  };
}

function sweepOld(io: LabOutput): void {
  const swept = sweepAll();
  if (swept.length > 0) io.err(`Swept what killed labs left: ${swept.join(", ")}\n`);
}

function howToUse(name: string, kubeconfig: string, nodes: readonly string[], pods: readonly string[]): string {
  const flag = name === DEFAULT_NAME ? "" : ` --name ${name}`;
  const [node = "node-1"] = nodes;
  const lines = [
    `The lab "${name}" is up. To use it:`,
    "",
    `  export KUBECONFIG=${kubeconfig}`,
    "  kubectl get nodes,pods -A -o wide",
    `  npm run lab -- exec${flag} ${node} -- ip route`,
    ...(pods[0] === undefined ? [] : [`  npm run lab -- exec${flag} ${pods[0]} -- ip address`]),
    `  npm run lab -- probe${flag} --ports 80/TCP,81/UDP`,
    `  npm run lab -- down${flag}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** What is interrupted before it is up leaves nothing. */
function endOnSignals(launched: Launched): void {
  const stop = () => void launched.release().then(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
}

/** The demonstration. @returns exit status */
async function demonstrate(
  o: MakeOptions & { readonly json?: boolean; readonly keep?: boolean; readonly pods: number },
  io: LabOutput,
): Promise<number> {
  sweepOld(io);
  const screen = openScreen(o.json === true ? process.stderr : process.stdout);
  let result: DemoResult | undefined;
  const launched = launch(await orderOf(o, o.pods, o.keep === true), (event) => {
    screen.show(event);
    if (event.kind === "result") result = event.result;
  });
  endOnSignals(launched);
  try {
    const up = await launched.up;
    screen.close();
    if (result === undefined) throw new Error("The demonstration ended without a result");
    const text = `${result.passed} of ${result.passed + result.failed} checks passed in ${result.seconds.toFixed(1)} s`;
    const say = o.json === true ? io.err : io.out;
    say(`\n${text}\n`);
    if (o.keep === true) say(`\n${howToUse(up.name, up.kubeconfig, up.nodes, up.pods)}`);
  } catch (error) {
    screen.close();
    throw error;
  } finally {
    await launched.release();
  }
  if (o.json === true) io.out(`${JSON.stringify(result)}\n`);
  return result.failed === 0 ? 0 : 1;
}

async function up(o: MakeOptions, io: LabOutput): Promise<number> {
  sweepOld(io);
  const screen = openScreen(process.stdout);
  const launched = launch(await orderOf(o, 0, true), (event) => screen.show(event));
  endOnSignals(launched);
  try {
    const lab = await launched.up;
    screen.close();
    io.out(`\n${howToUse(lab.name, lab.kubeconfig, lab.nodes, lab.pods)}`);
    return 0;
  } finally {
    await launched.release();
  }
}

/** A lab that does not answer: it is not up yet, or nobody runs it any more. */
function silentText(name: string): string {
  const owner = readState(name)?.owner;
  return owner !== undefined && isAlive(owner)
    ? `Lab "${name}" is being made (process ${owner.pid})\n`
    : `Lab "${name}" was killed: "twill lab down --name ${name}" removes what it left\n`;
}

async function status(o: { readonly name?: string; readonly json?: boolean }, io: LabOutput): Promise<number> {
  const names = o.name === undefined ? listLabs() : [o.name];
  const ask = (name: string) => askLab(name, "status") as Promise<LabStatus>;
  // One that does not answer must not hide the others.
  const all = await Promise.all(names.map((name) => (o.name === undefined ? ask(name).catch(() => name) : ask(name))));
  if (o.json === true) io.out(`${JSON.stringify(all.filter((s) => typeof s !== "string"))}\n`);
  else if (all.length === 0) io.out('No lab is up: "twill lab up" would make one\n');
  else for (const s of all) io.out(typeof s === "string" ? silentText(s) : statusText(s));
  return 0;
}

function statusText(s: LabStatus): string {
  const nodes = s.nodes.map(
    (n) =>
      `  ${n.notReady === null ? "●" : "○"} ${n.name}  ${n.addresses.join(" ")}  pods ${n.podCIDRs.join(" ")}${n.notReady === null ? "" : `  ${n.notReady}`}`,
  );
  const pods = s.pods.map((p) => `  ${p.name}  on ${p.node || "no node yet"}  ${p.phase}  ${p.addresses.join(" ")}`);
  const outside = `  ${s.outside.name}  ${s.outside.addresses.join(" ")}`;
  return `Lab "${s.name}" since ${s.startedAt}, API ${s.api}\n  export KUBECONFIG=${s.kubeconfig}\n${[...nodes, ...pods, outside].join("\n")}\n`;
}

async function exec(target: string, command: readonly string[], o: { readonly name: string }): Promise<number> {
  const s = (await askLab(o.name, "status")) as LabStatus;
  const node = s.nodes.find((n) => n.name === target);
  const pod = s.pods.find((p) => p.name === target || p.name === `default/${target}`);
  const pid = node?.pid ?? pod?.pid ?? (target === s.outside.name ? s.outside.pid : undefined);
  if (pid === undefined || pid === null) {
    const names = [...s.nodes.map((n) => n.name), ...s.pods.filter((p) => p.pid !== null).map((p) => p.name)].concat(
      s.outside.name,
    );
    throw new Error(`"${target}" does not run in lab "${o.name}": ${names.join(", ")} do`);
  }
  // What follows the target is the command's own, the customary "--" in front of it excepted.
  const own = command[0] === "--" ? command.slice(1) : command;
  return runInTerminal(pid, own.length > 0 ? own : ["bash"]);
}

interface ProbeFlags {
  readonly name: string;
  readonly ports: string;
  readonly json?: boolean;
  readonly family: Families;
  readonly timeout: string;
  readonly from?: string;
  readonly to?: string;
}

async function probe(o: ProbeFlags, io: LabOutput): Promise<number> {
  const ports = parsePorts(o.ports);
  if (!ports.ok) throw new Error(ports.error);
  const timeoutMs = Number(o.timeout);
  if (!(timeoutMs >= 10 && timeoutMs <= 60_000))
    throw new Error(`"${o.timeout}" is not a time-out: 10 to 60000 milliseconds are possible`);
  const names = (text: string | undefined) => text?.split(",").map((n) => n.trim());
  const matrix = (await askLab(o.name, "probe", {
    ports: ports.value,
    families: o.family,
    timeoutMs,
    from: names(o.from),
    to: names(o.to),
  })) as Matrix;
  io.out(o.json === true ? `${JSON.stringify(matrix)}\n` : `${formatMatrix(matrix)}\n`);
  return 0;
}

/** Ends a lab and waits until nothing is left. */
async function down(o: { readonly name: string }, io: LabOutput): Promise<number> {
  const state = readState(o.name);
  if (state === undefined || !isAlive(state.owner)) {
    io.out(sweep(o.name) ? `Swept what lab "${o.name}" left\n` : `No lab "${o.name}" is up\n`);
    return 0;
  }
  // One that is still being made does not answer yet: it ends all the same.
  await askLab(o.name, "down").catch(() => signalProcess(state.owner, "SIGTERM"));
  const end = Date.now() + DOWN_MS;
  while (isAlive(state.owner)) {
    if (Date.now() > end)
      throw new Error(`Lab "${o.name}" (process ${state.owner.pid}) has not ended after ${DOWN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  sweep(o.name);
  io.out(`Lab "${o.name}" is down\n`);
  return 0;
}

/**
 * The command and its sub-commands. `setStatus` gets the exit status of the one that ran; of a wrong use they say what is
 * wrong and throw commander's error.
 */
export function labCommand(setStatus: (code: number) => void, io: LabOutput = STANDARD): Command {
  const run =
    <A extends unknown[]>(work: (...args: A) => Promise<number>) =>
    (...args: A) =>
      work(...args).then(setStatus);
  const lab = new Command("lab")
    .description("a cluster in a box: without a sub-command, the demonstration")
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .exitOverride()
    .enablePositionalOptions();
  const making = (c: Command) =>
    c
      .option("--name <NAME>", `name of the lab (default: "${DEFAULT_NAME}" when it stays up)`, checkedName)
      .option("--nodes <N>", "number of nodes", nodeCount, 3)
      .option("--config <FILE>", "YAML with keys of the agents' configuration")
      .option("--mtu <BYTES>", "MTU of the wire", mtu)
      .addOption(familiesOption("--underlay <F>", "IP versions of the nodes' own addresses: 4, 6 or both"));
  const named = (c: Command) => c.option("--name <NAME>", "name of the lab", checkedName, DEFAULT_NAME);
  making(lab)
    .option("--pods <N>", "pods on each node", nodeCount, PODS_PER_NODE)
    .option("--json", "print the result as JSON on the last line")
    .option("--keep", "leave the lab up afterwards")
    .action(run((o) => demonstrate(o, io)));
  making(lab.command("up").description("make a lab and leave it up")).action(run((o) => up(o, io)));
  lab
    .command("status")
    .description("nodes and pods of the labs that are up")
    .option("--name <NAME>", "only this one", checkedName)
    .option("--json", "as JSON")
    .action(run((o) => status(o, io)));
  named(lab.command("exec").description("run a command on a node, in a pod or on the host outside"))
    .argument("<target>", "node, pod, namespace/pod or outside")
    .argument("[command...]", "default: bash")
    .passThroughOptions()
    .action(run((target, command, o) => exec(target, command, o)));
  named(lab.command("probe").description("send real packets between all pods, nodes and the outside host"))
    .requiredOption("--ports <LIST>", "as 80/TCP,81/UDP,ICMP")
    .addOption(familiesOption("--family <F>", "4, 6 or both"))
    .option("--timeout <MS>", "milliseconds without an answer that count as a time-out", "500")
    .option("--from <LIST>", "only these senders")
    .option("--to <LIST>", "only these receivers")
    .option("--json", "as JSON")
    .action(run((o) => probe(o, io)));
  named(lab.command("down").description("end a lab and remove everything of it")).action(run((o) => down(o, io)));
  return lab;
}

function checkedName(text: string): string {
  try {
    labDirectory(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

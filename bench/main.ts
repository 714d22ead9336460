/**
 * `npm run bench -- cni|path|pods|policy|scale|services|rolling [--json] [--rounds N] [--quick]`: Twill beside its peers, in one run, in turns.
 * Progress goes to standard error; standard output is the table, or with `--json` one line.
 */

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { benchCni } from "./cni.ts";
import { type BenchOptions, benchPath } from "./path.ts";
import { benchPods } from "./pods.ts";
import { benchPolicy } from "./policy.ts";
import { goFirst } from "./priority.ts";
import { toJson, toText } from "./report.ts";
import { benchRolling } from "./rolling.ts";
import { benchScale } from "./scale.ts";
import { benchServices } from "./services.ts";
import type { RowWithRanges } from "./stats.ts";
import { NEEDED_PROGRAMS } from "./tools.ts";

const USAGE = "Usage: npm run bench -- cni|path|pods|policy|scale|services|rolling [--json] [--rounds N] [--quick]";

const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => Promise<RowWithRanges[]>>> = {
  cni: benchCni,
  path: benchPath,
  pods: benchPods,
  policy: benchPolicy,
  rolling: benchRolling,
  scale: benchScale,
  services: benchServices,
};

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { json: { type: "boolean" }, quick: { type: "boolean" }, rounds: { type: "string" } },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  const [what = ""] = positionals;
  const benchmark = BENCHMARKS[what];
  if (positionals.length !== 1 || benchmark === undefined) return refuse(USAGE);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) {
    return refuse(`Cannot run "${values.rounds}" rounds: a whole number from 1 to 1000 is needed\n${USAGE}`);
  }
  if (process.getuid?.() !== 0) return refuse("Cannot make network namespaces: run as root");
  const missing = NEEDED_PROGRAMS.filter(({ program }) => spawnSync("which", [program]).status !== 0);
  if (missing.length > 0) {
    const packages = missing.map(({ debianPackage }) => debianPackage).join(" ");
    return refuse(`Cannot measure without these programs: run apt-get install ${packages}`);
  }
  process.once("exit", goFirst());
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => ending.abort(new Error(`Ended by ${signal}`)));
  }
  const options = {
    rounds,
    seconds: values.quick ? 1 : 2,
    isQuick: values.quick === true,
    signal: ending.signal,
    log: (line: string) => console.error(line),
  };
  const rows = await benchmark(options);
  console.log(values.json ? toJson(rows) : toText(rows));
  return 0;
}

function refuse(message: string): number {
  console.error(message);
  return 2;
}

process.exitCode = await main(process.argv.slice(2));

/** Times the plugins of a node of a real cluster, as its container runtime calls them; see native/stopwatch.c. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { KubeNode } from "../test/cluster/kube/node.ts";
import { writeIn } from "../test/fixture/files.ts";
import { run } from "../test/fixture/sandbox.ts";

const SOURCE = fileURLToPath(new URL("native/stopwatch.c", import.meta.url));
const PLUGINS = "/opt/cni/bin";
const DIRECTORY = "/run/stopwatch";
const LOG = `${DIRECTORY}/log`;

/** One call of a plugin. */
export interface Lap {
  readonly plugin: string;
  /** `ADD`, `DEL`, … */
  readonly command: string;
  /** Exit code, 0 for success. */
  readonly status: number;
  readonly milliseconds: number;
}

/** Reads what the program has written. @throws SyntaxError for a line that is none of its */
export function parseLaps(text: string): readonly Lap[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, plugin = "", command = "", status, ns] = /^(\S+) (\S+) (\d+) (\d+)$/.exec(line) ?? [];
      if (ns === undefined) throw new SyntaxError(`"${line}" is no line of the stopwatch`);
      return { plugin, command, status: Number(status), milliseconds: Number(ns) / 1e6 };
    });
}

/** Builds the program. */
export function buildStopwatch(target: string, places: { readonly log: string; readonly plugins: string }): void {
  const defines = [`-DSTOPWATCH_LOG="${places.log}"`, `-DSTOPWATCH_PLUGINS="${places.plugins}"`];
  run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", ...defines, SOURCE, "-o", target]);
}

/** See the head of this file. */
export class Stopwatch {
  readonly #node: KubeNode;
  #read = 0;

  private constructor(node: KubeNode) {
    this.#node = node;
  }

  /** Puts itself before the node's plugins, which takes a restart of containerd. @param program from {@link buildStopwatch} */
  static async start(node: KubeNode, program: string, plugins: readonly string[]): Promise<Stopwatch> {
    const file = readFileSync(program);
    for (const plugin of plugins) writeIn(node.box, `${DIRECTORY}/bin/${plugin}`, file, 0o755);
    writeIn(node.box, LOG, "");
    await node.usePlugins(`${DIRECTORY}/bin`);
    return new Stopwatch(node);
  }

  static build(target: string): void {
    buildStopwatch(target, { log: LOG, plugins: PLUGINS });
  }

  /** Calls that have ended since {@link forget}. */
  laps(): readonly Lap[] {
    return parseLaps(readFileSync(this.#node.box.root + LOG, "utf8")).slice(this.#read);
  }

  forget(): void {
    this.#read += this.laps().length;
  }
}

/** What the kernel says of one process: its memory and its CPU time. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** Megabytes (10^6 bytes). */
export interface Memory {
  readonly rssMb: number;
  /** Highest RSS so far. */
  readonly peakMb: number;
  /** RSS with what is shared divided among those who share it. */
  readonly pssMb: number;
  /** RSS that no file backs: heaps and stacks. */
  readonly anonymousMb: number;
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** A running process, by its number here. */
export class AgentProcess {
  readonly #directory: string;

  constructor(pid: number) {
    this.#directory = `/proc/${pid}`;
  }

  memory(): Memory {
    const status = this.#read("status");
    return {
      rssMb: megabytes(status, "VmRSS"),
      peakMb: megabytes(status, "VmHWM"),
      pssMb: megabytes(this.#read("smaps_rollup"), "Pss"),
      anonymousMb: megabytes(status, "RssAnon"),
    };
  }

  /** The peak is counted anew (proc(5), `clear_refs`). */
  forgetPeak(): void {
    writeFileSync(`${this.#directory}/clear_refs`, "5");
  }

  /** Of all its threads since its start, in user and kernel mode. */
  cpuSeconds(): number {
    const stat = this.#read("stat");
    // Fields are counted behind the command's name, which may hold anything: 14 and 15 are utime and stime.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  #read(name: string): string {
    return readFileSync(`${this.#directory}/${name}`, "utf8");
  }
}

/** RSS of a process, megabytes. @param pid undefined: it does not run @throws Error when it cannot be read */
export function rssMb(pid: number | undefined): number {
  return megabytes(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}

/** The number of a process in the innermost namespace that it is in (proc(5), `NSpid`), which is how its neighbours know it. */
export function pidInBox(pid: number | undefined): number {
  const numbers = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(numbers?.split(/\s+/).at(-1));
}

function megabytes(text: string, name: string): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  if (kibibytes === undefined) throw new Error(`Cannot read ${name} of the agent`);
  return (Number(kibibytes) * 1024) / 1e6;
}

/** Counts the plugin's calls, for metrics. */

/** Commands that are counted by name; anything else that a caller may send is one. */
const COMMANDS: ReadonlySet<string> = new Set(["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]);

/** Upper bounds of durations that are counted apart, in seconds. */
const CALL_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5] as const;

/** Calls of one command. */
interface CommandStats {
  count: number;
  sumSeconds: number;
  /** Calls by the first bound that is not exceeded; the last one: longer than all. */
  readonly buckets: number[];
}

/** One for the life of an agent. */
export class CallStats {
  /** Calls by `COMMAND code`; code 0 is success. */
  readonly codes = new Map<string, number>();
  readonly #commands = new Map<string, CommandStats>();

  note(command: string, code: number, durationMs: number): void {
    const name = COMMANDS.has(command) ? command : "other";
    const key = `${name} ${code}`;
    this.codes.set(key, (this.codes.get(key) ?? 0) + 1);
    const stats = this.#commands.get(name) ?? {
      count: 0,
      sumSeconds: 0,
      buckets: new Array<number>(CALL_BUCKETS_SECONDS.length + 1).fill(0),
    };
    this.#commands.set(name, stats);
    const seconds = durationMs / 1000;
    stats.count++;
    stats.sumSeconds += seconds;
    const at = CALL_BUCKETS_SECONDS.findIndex((bound) => seconds <= bound);
    const index = at < 0 ? CALL_BUCKETS_SECONDS.length : at;
    stats.buckets[index] = (stats.buckets[index] ?? 0) + 1;
  }

  /** Durations as a Prometheus histogram, in the exposition format. */
  exposition(): string {
    const name = "twill_cni_call_duration_seconds";
    const lines = [`# HELP ${name} Time that a call of the plugin took in the agent`, `# TYPE ${name} histogram`];
    for (const [command, { count, sumSeconds, buckets }] of this.#commands) {
      let below = 0;
      for (const [i, bound] of CALL_BUCKETS_SECONDS.entries()) {
        below += buckets[i] ?? 0;
        lines.push(`${name}_bucket{command="${command}",le="${bound}"} ${below}`);
      }
      lines.push(`${name}_bucket{command="${command}",le="+Inf"} ${count}`);
      lines.push(`${name}_sum{command="${command}"} ${sumSeconds}`, `${name}_count{command="${command}"} ${count}`);
    }
    return lines.length === 2 ? "" : lines.map((l) => `${l}\n`).join("");
  }
}

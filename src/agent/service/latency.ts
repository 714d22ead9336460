/** How long changes of services take until they are in the kernel, as a Prometheus histogram. */

/** Upper bounds, in seconds. */
const BUCKETS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5] as const;

/** One for the life of an agent. */
export class Latency {
  readonly #name: string;
  readonly #help: string;
  readonly #buckets = new Array<number>(BUCKETS_SECONDS.length + 1).fill(0);
  #count = 0;
  #sumSeconds = 0;

  /** @param name of the metric, without unit and prefix */
  constructor(name: string, help: string) {
    this.#name = `twill_${name}_seconds`;
    this.#help = help;
  }

  note(seconds: number): void {
    this.#count++;
    this.#sumSeconds += seconds;
    const at = BUCKETS_SECONDS.findIndex((bound) => seconds <= bound);
    const index = at < 0 ? BUCKETS_SECONDS.length : at;
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  /** In the exposition format; empty: nothing was noted. */
  exposition(): string {
    if (this.#count === 0) return "";
    const name = this.#name;
    const lines = [`# HELP ${name} ${this.#help}`, `# TYPE ${name} histogram`];
    let below = 0;
    for (const [i, bound] of BUCKETS_SECONDS.entries()) {
      below += this.#buckets[i] ?? 0;
      lines.push(`${name}_bucket{le="${bound}"} ${below}`);
    }
    lines.push(
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sumSeconds}`,
      `${name}_count ${this.#count}`,
    );
    return lines.map((l) => `${l}\n`).join("");
  }
}

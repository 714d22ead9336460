/** Sets that classes share: made once for the same steps, and of one number for the same rows, for as long as a class holds them. */

import { createNumbers, type Numbers } from "./numbers.ts";
import { verdictText } from "./set.ts";
import type { RuleInfo, SetRow } from "./table.ts";

/** A set, and the rules that its verdicts name. */
export interface BuiltSet {
  readonly number: number;
  readonly rows: readonly SetRow[];
  readonly rules: ReadonlyMap<number, RuleInfo>;
}

interface Shared {
  readonly set: BuiltSet;
  readonly text: string;
  /** What it follows from: other steps may come to the same rows. */
  readonly keys: string[];
  holders: number;
}

const rowText = (r: SetRow) => `${r.prefixLength} ${r.protocol} ${r.port} ${verdictText(r.verdict)}`;

/** See the file's comment. Who has found a set holds it before anybody else finds one. */
export class SharedSets {
  readonly #numbers: Numbers;
  readonly #byKey = new Map<string, Shared>();
  readonly #byNumber = new Map<number, Shared>();
  #rows = 0;

  /** @param first the lowest number that is given */
  constructor(first: number) {
    this.#numbers = createNumbers(first);
  }

  /** Rows of all sets that are held. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * @param key equal keys, equal sets
   * @param build makes it where nobody holds it
   */
  find(key: string, build: () => Omit<BuiltSet, "number">): BuiltSet {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.set;
    const built = build();
    const text = built.rows.map(rowText).join("\n");
    const number = this.#numbers.numberOf(text);
    let shared = this.#byNumber.get(number);
    if (shared === undefined) {
      shared = { set: { number, ...built }, text, keys: [], holders: 0 };
      this.#byNumber.set(number, shared);
    }
    shared.keys.push(key);
    this.#byKey.set(key, shared);
    return shared.set;
  }

  hold(number: number): void {
    const shared = this.#byNumber.get(number);
    if (shared === undefined) throw new RangeError(`Set ${number} is held by nobody: it has to be found anew`);
    if (shared.holders++ === 0) this.#rows += shared.set.rows.length;
  }

  release(number: number): void {
    const shared = this.#byNumber.get(number);
    if (shared === undefined || --shared.holders > 0) return;
    this.#rows -= shared.set.rows.length;
    this.#byNumber.delete(number);
    this.#numbers.forget(shared.text);
    for (const key of shared.keys) this.#byKey.delete(key);
  }
}

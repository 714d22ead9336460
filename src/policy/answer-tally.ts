/**
 * How many identities of one family have which set of a class, and so which set is the default: the one that needs the
 * fewest rows beside it. Identities that are not counted here are the rest, and have one answer in common.
 */

/** See the file's comment. */
export class AnswerTally {
  readonly #counts = new Map<number, number>();
  #counted = 0;
  /** The default that was chosen last. */
  #chosen: number | undefined;
  /** How many had the commonest of the counted sets when it was chosen. */
  #most = 0;

  /** Identities that are not of the rest. */
  get counted(): number {
    return this.#counted;
  }

  /** Sets that some of them have. */
  get sets(): Iterable<number> {
    return this.#counts.keys();
  }

  add(set: number, identities: number): void {
    this.#counted += identities;
    this.#counts.set(set, (this.#counts.get(set) ?? 0) + identities);
  }

  /** One that has the set is gone. */
  remove(set: number): void {
    this.#counted--;
    const count = (this.#counts.get(set) ?? 0) - 1;
    if (count > 0) this.#counts.set(set, count);
    else this.#counts.delete(set);
  }

  clear(): void {
    this.#counts.clear();
    this.#counted = 0;
    this.#chosen = undefined;
    this.#most = 0;
  }

  /**
   * The set that most identities have; of equals the one that was chosen last.
   * @param rest the rest's set
   * @param total all identities of the family
   */
  choose(rest: number, total: number): number {
    const ofRest = total - this.#counted;
    const before = this.#chosen ?? rest;
    let best = rest;
    let most = ofRest;
    const ofBefore = this.#counts.get(before) ?? 0;
    if (before !== rest && ofBefore > 0 && ofBefore >= ofRest) {
      best = before;
      most = ofBefore;
    }
    // Asked of every class whenever an identity comes or goes: nothing is made for it.
    let mostCounted = 0;
    this.#counts.forEach((count, set) => {
      if (count > mostCounted) mostCounted = count;
      if (count <= most) return;
      best = set;
      most = count;
    });
    this.#most = mostCounted;
    this.#chosen = best;
    return best;
  }

  /** Whether the rest's set, which was chosen last, would be chosen again. Nothing was counted since. */
  isRestStill(total: number): boolean {
    return total - this.#counted >= Math.max(1, this.#most);
  }
}

/**
 * Places by number, for who keeps what it has in columns: where a hundred thousand things of a few small numbers each are objects in a
 * `Map`, most of the memory is the map and the objects' heads.
 */

/** At the beginning; twice as much whenever half of it is used. */
const FIRST_ROOM = 64;

/** Finds the place of a number that stands in a column. Numbers are hashes: nothing is mixed here. */
export class PlaceIndex {
  readonly #numberAt: (place: number) => number;
  /** A place and one more, where its number says or behind others that were there before it; 0: nobody. */
  #slots = new Int32Array(FIRST_ROOM);
  #size = 0;

  /** @param numberAt what stands at a place: 32 bits with a sign, the same for as long as the place is in the index */
  constructor(numberAt: (place: number) => number) {
    this.#numberAt = numberAt;
  }

  get size(): number {
    return this.#size;
  }

  /** -1: it has none. */
  placeOf(number: number): number {
    return (this.#slots[this.#slotOf(number)] ?? 0) - 1;
  }

  /** The number that stands at the place has none yet. */
  add(place: number): void {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    this.#slots[this.#slotOf(this.#numberAt(place))] = place + 1;
    this.#size++;
  }

  /** The number may stand at its place still. Nothing happens when it has none. */
  delete(number: number): void {
    const mask = this.#slots.length - 1;
    let free = this.#slotOf(number);
    if (this.#slots[free] === 0) return;
    this.#size--;
    // Who stands behind moves up, if it may: whoever looks for it stops at the first free slot.
    for (let slot = (free + 1) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0) break;
      const home = this.#numberAt(entry - 1) & mask;
      if (((slot - home) & mask) < ((slot - free) & mask)) continue;
      this.#slots[free] = entry;
      free = slot;
    }
    this.#slots[free] = 0;
  }

  /** Where the number stands, or would stand. */
  #slotOf(number: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = number & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0 || this.#numberAt(entry - 1) === number) return slot;
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Int32Array(2 * before.length);
    for (const entry of before) if (entry !== 0) this.#slots[this.#slotOf(this.#numberAt(entry - 1))] = entry;
  }
}

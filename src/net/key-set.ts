/** Byte strings of one length as a set: for a hundred thousand keys of a map, of which texts or objects would be megabytes. */

/** Room at the beginning, keys; twice as much whenever it is used up. */
const FIRST_ROOM = 1024;

/** FNV-1a, with the bits mixed: neighbours among addresses and numbers go to places apart. */
function hashOf(key: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ (key[i] ?? 0), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/** See the file's comment. Keys are copied. */
export class KeySet {
  readonly #width: number;
  /** Keys behind each other, in the order in which they came. */
  #bytes: Uint8Array;
  /** Index of a key and one more, by its hash, or behind others that were there before it; 0: nobody. */
  #places: Uint32Array;
  #size = 0;

  /** @param width bytes of each key */
  constructor(width: number) {
    this.#width = width;
    this.#bytes = new Uint8Array(FIRST_ROOM * width);
    this.#places = new Uint32Array(2 * FIRST_ROOM);
  }

  get size(): number {
    return this.#size;
  }

  has(key: Uint8Array): boolean {
    return (this.#places[this.#find(key)] ?? 0) > 0;
  }

  /** Nothing happens the second time. @throws RangeError for a key of another length */
  add(key: Uint8Array): void {
    if (key.length !== this.#width) throw new RangeError(`A key has ${key.length} bytes, ${this.#width} are wanted`);
    if (2 * this.#size >= this.#places.length) this.#grow();
    const place = this.#find(key);
    if ((this.#places[place] ?? 0) > 0) return;
    this.#bytes.set(key, this.#size * this.#width);
    this.#places[place] = ++this.#size;
  }

  /** In the order in which they came. Copies; those that are added meanwhile are among them. */
  *keys(): Generator<Uint8Array> {
    for (let i = 0; i < this.#size; i++) yield this.#bytes.slice(i * this.#width, (i + 1) * this.#width);
  }

  /** Where the key stands, or would stand. */
  #find(key: Uint8Array): number {
    const mask = this.#places.length - 1;
    for (let place = hashOf(key) & mask; ; place = (place + 1) & mask) {
      const index = this.#places[place] ?? 0;
      if (index === 0 || this.#isAt(key, (index - 1) * this.#width)) return place;
    }
  }

  #isAt(key: Uint8Array, offset: number): boolean {
    for (let i = 0; i < key.length; i++) if (this.#bytes[offset + i] !== key[i]) return false;
    return true;
  }

  #grow(): void {
    const before = this.#bytes;
    this.#bytes = new Uint8Array(2 * before.length);
    this.#bytes.set(before);
    this.#places = new Uint32Array(2 * this.#places.length);
    for (let i = 0; i < this.#size; i++)
      this.#places[this.#find(before.subarray(i * this.#width, (i + 1) * this.#width))] = i + 1;
  }
}

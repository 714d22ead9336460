/** Lists of places as numbers: each is the one before it and one place more, and those that begin alike share what they begin with. */

/** More places than any class has. */
const MANY_PLACES = 2 ** 24;

/** The list without a place. */
export const NO_WALK = 0;

/** See the file's comment. Equal lists are the same number. */
export class PlaceWalks {
  readonly #before = [NO_WALK];
  readonly #last = [-1];
  readonly #longer = new Map<number, number>();

  /** The list with one place more. */
  with(walk: number, place: number): number {
    const key = walk * MANY_PLACES + place;
    let longer = this.#longer.get(key);
    if (longer === undefined) {
      longer = this.#last.push(place) - 1;
      this.#before.push(walk);
      this.#longer.set(key, longer);
    }
    return longer;
  }

  placesOf(walk: number): number[] {
    const places: number[] = [];
    for (let at = walk; at !== NO_WALK; at = this.#before[at] ?? NO_WALK) places.push(this.#last[at] as number);
    return places.reverse();
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_WALK, PlaceWalks } from "./place-walks.ts";
import { createRandom } from "./testing/random.ts";

test("equal lists are one number, which leads back to them", () => {
  const r = createRandom(3);
  const walks = new PlaceWalks();
  const known = new Map<string, number>();
  for (let i = 0; i < 500; i++) {
    const places = Array.from({ length: r.below(6) }, () => r.below(4));
    const walk = places.reduce((at, place) => walks.with(at, place), NO_WALK);
    assert.deepEqual(walks.placesOf(walk), places);
    assert.equal(known.get(places.join()) ?? walk, walk);
    known.set(places.join(), walk);
  }
  assert.equal(new Set(known.values()).size, known.size);
});

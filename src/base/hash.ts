/** Hashes of names that every node computes alike. Not for secrets: who chooses the names can find two that collide. */

/** Mixes all bits into all (the finalizer of MurmurHash3, public domain). */
function mix(h: number): number {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** 32 bits of a text: FNV-1a over its UTF-16 code units, mixed. @param seed 0 … 2^32-1: another gives another hash */
export function hash32(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ mix(seed);
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

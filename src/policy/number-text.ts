/** Sets of numbers as keys of maps. */

/** As many arguments as any call takes. */
const CHUNK = 8192;

/** Equal for equal sets of 32 bits, and not for people: two characters for each number. */
export function textOfNumbers(numbers: ReadonlySet<number>): string {
  const words = new Uint16Array(Uint32Array.from(numbers).sort().buffer);
  let text = "";
  for (let at = 0; at < words.length; at += CHUNK) text += String.fromCharCode(...words.subarray(at, at + CHUNK));
  return text;
}

/** Small helpers for JSON whose shape is only partly known. */

/** A JSON object. */
export interface Fields {
  // biome-ignore lint/suspicious/noExplicitAny: JSON of a kind that the reader knows
  readonly [key: string]: any;
}

/** Whether a value is a JSON object (not null, not a list). */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object without the named members; the same object when it has none of them. */
export function without<T extends object>(object: T, ...keys: readonly string[]): T {
  if (!keys.some((k) => Object.hasOwn(object, k))) return object;
  return Object.fromEntries(Object.entries(object).filter(([k]) => !keys.includes(k))) as T;
}

/** Sets a member that would be special in a literal, as `__proto__`, like any other. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Whether two JSON values are equal; members that are undefined count as absent. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((v, i) => jsonEqual(v, b[i]));
  }
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a).filter((k) => a[k] !== undefined);
  if (keys.length !== Object.keys(b).filter((k) => b[k] !== undefined).length) return false;
  return keys.every((k) => Object.hasOwn(b, k) && jsonEqual(a[k], b[k]));
}

/** Now, as `metav1.Time` spells it: RFC 3339, whole seconds. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Versions of the CNI specification. */

/** Every version that Twill speaks, oldest first. */
export const CNI_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** One of {@link CNI_VERSIONS}. */
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** Whether the text names a version that Twill speaks. */
export function isCniVersion(text: string): text is CniVersion {
  return (CNI_VERSIONS as readonly string[]).includes(text);
}

/** Whether `a` is the same as `b` or newer. */
export function isAtLeast(a: CniVersion, b: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(a) >= CNI_VERSIONS.indexOf(b);
}

/** Versions of the CNI specification. */

/** Every version that Twill speaks, oldest first. */
export const CNI_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** One of {@link CNI_VERSIONS}. */
export type CniVersion = (typeof CNI_VERSIONS)[number];

/** What a configuration without `cniVersion` means: it was optional in 0.1.0 only. */
export const IMPLIED_VERSION: CniVersion = "0.1.0";

/** Newest version that Twill speaks. */
export const NEWEST_VERSION: CniVersion = "1.1.0";

/** Whether the text names a version that Twill speaks. */
export function isCniVersion(text: string): text is CniVersion {
  return (CNI_VERSIONS as readonly string[]).includes(text);
}

/** Whether `a` is the same as `b` or newer. */
export function isAtLeast(a: CniVersion, b: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(a) >= CNI_VERSIONS.indexOf(b);
}

/** The answer to VERSION; `cniVersion` is what the caller named, when it named one that can be. */
export function versionAnswer(asked: string | undefined): string {
  const cniVersion = asked !== undefined && isCniVersion(asked) ? asked : NEWEST_VERSION;
  return JSON.stringify({ cniVersion, supportedVersions: CNI_VERSIONS });
}

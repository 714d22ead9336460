/** One complaint about one place of some input. Validators return all of them, never only the first. */
export interface Issue {
  /** Where: keys and indexes from the root, as in `spec.pools[2].cidr`; empty for the whole. */
  readonly path: string;
  /** What is wrong and what would be right, with the value quoted. */
  readonly message: string;
}

/** `path: message`, one line for each issue. */
export function formatIssues(issues: readonly Issue[]): string {
  return issues.map((i) => (i.path === "" ? i.message : `${i.path}: ${i.message}`)).join("\n");
}

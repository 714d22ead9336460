/** How a node tells what of the cluster's configuration is not in effect on it: an annotation, absent where all of it is. */

/** The annotation. */
export const WAITING_ANNOTATION = "twill.dev/configuration-waits";

/** What a node says. */
export interface Waiting {
  /** Keys that have another value once the agent is started anew. */
  readonly restart: readonly string[];
  /** Why the whole cannot be used; `""`: it can. */
  readonly refused: string;
}

/** Longest value: a node has room for many annotations. */
const MAX_TEXT = 1024;

/** The annotation's value; undefined: nothing waits. */
export function waitingValue({ restart, refused }: Waiting): string | undefined {
  if (refused !== "") return `refused: ${refused}`.slice(0, MAX_TEXT);
  return restart.length === 0 ? undefined : `restart: ${restart.join(", ")}`.slice(0, MAX_TEXT);
}

/** What such a value says; one that nobody here wrote says nothing. */
export function parseWaiting(value: string | undefined): Waiting {
  const m = /^(restart|refused): (.*)$/s.exec(value ?? "");
  if (m?.[1] === "refused") return { restart: [], refused: m[2] ?? "" };
  return { restart: m?.[2]?.split(", ") ?? [], refused: "" };
}

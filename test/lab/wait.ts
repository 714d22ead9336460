/** Waits for what a test expects, with a deadline that a busy machine can keep. */

const DEADLINE_MS = 90_000;

/** Resolves when the condition holds, at the latest at the end of the time. @throws Error that names what was waited for */
export async function until(
  isDone: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const isLast = Date.now() > end;
    if (await isDone()) return;
    if (isLast) throw new Error(`Waited ${deadlineMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

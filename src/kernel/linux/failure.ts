/** From what the addon throws to the {@link KernelError}s of the contract. */

import { getSystemErrorName } from "node:util";
import { KernelError } from "../kernel.ts";
import { isSyscallError } from "./addon.ts";

/** The errnos that this folder branches on. */
export const ERRNO = {
  ENOENT: 2,
  ESRCH: 3,
  E2BIG: 7,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRNOTAVAIL: 99,
} as const;

/** Name of an errno, as `EEXIST`. */
export function errnoName(errno: number): string {
  if (errno === 524) return "ENOTSUPP";
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `E${errno}`;
  }
}

/** Runs one operation; a failed system call in it becomes a KernelError that names the operation. */
export function attempt<T>(op: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw isSyscallError(cause)
      ? new KernelError(op, cause.code, Math.abs(cause.errno), detailOf(cause.message), { cause })
      : cause;
  }
}

/** What stands in the parentheses at the end of the addon's messages. */
function detailOf(message: string): string {
  return /\(([\s\S]*)\)$/.exec(message)?.[1]?.trim() ?? "";
}

/** Whether a thrown value is a KernelError with one of these codes. */
export function isKernelError(error: unknown, ...codes: string[]): error is KernelError {
  return error instanceof KernelError && codes.includes(error.code);
}

/** Refusals and exceptions of the layers below, as CNI errors. */

import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import type { IpamError } from "../../ipam/error.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { LedgerError } from "../../ledger/error.ts";

/** The message with those of all its causes and parts. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts = error instanceof AggregateError ? error.errors.map(describeFailure) : [];
  const cause = error.cause === undefined ? [] : [`caused by: ${describeFailure(error.cause)}`];
  return [error.message, ...parts, ...cause].join("\n");
}

/** Whether the kernel says that there is no such thing: for tear-down that is success. */
export function isGone(error: unknown): boolean {
  return error instanceof KernelError && ["ENOENT", "ENODEV", "ESRCH", "ENXIO"].includes(error.code);
}

function ledgerCode(error: LedgerError): CniError["code"] {
  switch (error.code) {
    case "LEDGER_BUSY":
      return CNI_CODE.tryAgainLater;
    case "LEDGER_IO":
      return CNI_CODE.io;
    default:
      return CNI_CODE.ledgerRefused;
  }
}

/** An exception as a CNI error. @param subject what was being done, as `attach "eth0" of container "abc"` */
export function cniErrorOf(subject: string, error: unknown): CniError {
  const details = describeFailure(error);
  if (error instanceof LedgerError) return cniError(ledgerCode(error), error.message, details);
  const first = error instanceof Error ? error.message : String(error);
  return cniError(CNI_CODE.internal, `Cannot ${subject}: ${first}`, details);
}

/** A refusal of the allocator as a CNI error. */
export function cniErrorOfIpam(error: IpamError): CniError {
  switch (error.kind) {
    case "no-pool":
      return cniError(CNI_CODE.tryAgainLater, error.message);
    case "exhausted":
      return cniError(CNI_CODE.poolExhausted, error.message);
    default:
      return cniError(CNI_CODE.addressRefused, error.message);
  }
}

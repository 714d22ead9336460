/** One call of the plugin, from environment and standard input to what it prints: the same in the agent and offline. */

import type { Result } from "../../base/result.ts";
import { CNI_CODE, type CniCode, type CniError, cniError, formatError } from "../../cni/error.ts";
import { parseCall } from "../../cni/parse.ts";
import type { CniCall } from "../../cni/request.ts";
import { formatResult } from "../../cni/result-write.ts";
import { NEWEST_VERSION, versionAnswer } from "../../cni/version.ts";
import { LedgerError } from "../../ledger/error.ts";
import { attach } from "./attach.ts";
import { check } from "./check.ts";
import { collect } from "./collect.ts";
import { detach } from "./detach.ts";
import { cniErrorOf } from "./failure.ts";
import { attachLoopback, checkLoopback } from "./loopback.ts";
import type { NodeContext } from "./node-context.ts";
import { readiness } from "./readiness.ts";
import type { ShimRequest, ShimResponse } from "./shim-frame.ts";

/** What happened, for log and metrics. */
export interface CallReport {
  readonly command: string;
  readonly containerId: string;
  readonly ifname: string;
  /** 0: success. */
  readonly code: CniCode | 0;
  readonly msg: string;
  readonly details: string;
}

/** The answer and what happened. */
export interface Handled {
  readonly response: ShimResponse;
  readonly report: CallReport;
}

function dispatch(context: () => NodeContext, call: CniCall): Result<string, CniError> {
  const text = <T>(result: Result<T, CniError>, format: (value: T) => string) =>
    result.ok ? { ok: true as const, value: format(result.value) } : result;
  const nothing = () => "";
  switch (call.kind) {
    case "version":
      return { ok: true, value: versionAnswer(call.asked) };
    case "status":
      return call.network.type === "loopback" ? { ok: true, value: "" } : text(readiness(context()), nothing);
    case "gc":
      if (call.network.type === "loopback") return { ok: true, value: "" };
      return text(collect(context(), call.network.network, call.valid), nothing);
    case "add": {
      const { request } = call;
      const isLoopback = request.type === "loopback";
      const result = isLoopback ? attachLoopback(context().kernel, request) : attach(context(), request);
      return text(result, (r) => formatResult(r, request.version));
    }
    case "del":
      return call.request.type === "loopback"
        ? { ok: true, value: "" }
        : text(detach(context(), call.request), nothing);
    case "check": {
      const isLoopback = call.request.type === "loopback";
      return text(isLoopback ? checkLoopback(context().kernel, call.request) : check(context(), call.request), nothing);
    }
  }
}

/** What is done, in words that follow "Cannot", and the caller's version. */
export function describeCall(call: CniCall): { readonly subject: string; readonly version: string } {
  if (call.kind === "version") return { subject: "answer VERSION", version: NEWEST_VERSION };
  const version = "request" in call ? call.request.version : call.network.version;
  return { subject: `do ${call.kind.toUpperCase()}`, version };
}

/** An exception is an answer too. STATUS says "not available" for whatever keeps ADD from working. */
function caught(call: CniCall, subject: string, error: unknown): CniError {
  const found = cniErrorOf(subject, error);
  if (call.kind !== "status" || !(error instanceof LedgerError)) return found;
  return cniError(CNI_CODE.notAvailable, found.msg, found.details);
}

function answer(request: ShimRequest, outcome: Result<string, CniError>, version: string): Handled {
  const { env } = request;
  const named = {
    command: env["CNI_COMMAND"] ?? "",
    containerId: env["CNI_CONTAINERID"] ?? "",
    ifname: env["CNI_IFNAME"] ?? "",
  };
  if (outcome.ok)
    return {
      response: { exitCode: 0, stdout: outcome.value === "" ? "" : `${outcome.value}\n`, stderr: "" },
      report: { ...named, code: 0, msg: "", details: "" },
    };
  return {
    response: { exitCode: 1, stdout: `${formatError(version, outcome.error)}\n`, stderr: "" },
    report: { ...named, ...outcome.error },
  };
}

/**
 * Serves one call. Never throws.
 * @param context opened when the call needs it: VERSION is answered on a node where nothing else works
 */
export function handleCall(context: () => NodeContext, request: ShimRequest): Handled {
  const call = parseCall(request.env, request.stdin);
  if (!call.ok) return answer(request, { ok: false, error: call.error.error }, call.error.version);
  const { subject, version } = describeCall(call.value);
  try {
    return answer(request, dispatch(context, call.value), version);
  } catch (error) {
    return answer(request, { ok: false, error: caught(call.value, subject, error) }, version);
  }
}

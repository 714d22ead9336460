/** Serves the call that stands in this process's environment and standard input, from what the agent left. */

import { readFileSync, writeSync } from "node:fs";
import { formatIssues } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, cniError, formatError } from "../../cni/error.ts";
import { parseCall } from "../../cni/parse.ts";
import type { EndpointClasses } from "../../policy/table.ts";
import { newMac } from "../new-mac.ts";
import { openNodeKernel, openNodeLedger } from "../open-node.ts";
import { describeCall, handleCall } from "./handler.ts";
import type { NodeContext } from "./node-context.ts";
import { type OfflineSettings, parseOfflineSettings } from "./offline-settings.ts";
import type { ShimRequest } from "./shim-frame.ts";

/** Rules cannot be applied here; where the agent knew of none there is nothing to apply. */
function admitOffline({ openClasses }: OfflineSettings): Result<EndpointClasses, string> {
  return openClasses === undefined
    ? err("the agent is away, and only it can apply the cluster's policies")
    : ok(openClasses);
}

function openContext(stack: DisposableStack, settings: OfflineSettings): NodeContext {
  const ledger = stack.use(openNodeLedger(settings.runDirectory, settings.coolDownMs));
  const kernel = stack.use(openNodeKernel(settings.pinDirectory));
  return {
    kernel,
    ledger,
    settings: () => settings,
    // The last agent left the data plane complete, or this process would know no pools.
    problems: () => [],
    policy: { admit: () => admitOffline(settings) },
    nowMs: Date.now,
    newMac,
    isRepeated: process.env["TWILL_RETRY"] === "1",
  };
}

function print(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Says in the caller's version that nothing can be done now; of STATUS that is the answer. */
function refuse(request: ShimRequest, msg: string, details: string): number {
  const call = parseCall(request.env, request.stdin);
  const version = call.ok ? describeCall(call.value).version : call.error.version;
  const code = call.ok && call.value.kind === "status" ? CNI_CODE.notAvailable : CNI_CODE.tryAgainLater;
  print(1, `${formatError(version, cniError(code, msg, details))}\n`);
  return 1;
}

function cniVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([k, v]) => (k.startsWith("CNI_") && v !== undefined ? [[k, v]] : [])),
  );
}

/** @returns the exit code */
export function callOffline(settingsPath: string | undefined): number {
  const request = { env: cniVariables(), stdin: readFileSync(0, "utf8") };
  let settings: ReturnType<typeof parseOfflineSettings>;
  try {
    settings = parseOfflineSettings(readFileSync(settingsPath ?? "", "utf8"));
  } catch (error) {
    return refuse(request, `Cannot work without the agent: "${settingsPath ?? ""}" cannot be read`, String(error));
  }
  if (!settings.ok) {
    const msg = `Cannot work without the agent: "${settingsPath ?? ""}" is of another version; start the agent`;
    return refuse(request, msg, formatIssues(settings.error));
  }
  const { value } = settings;
  using stack = new DisposableStack();
  let context: NodeContext | undefined;
  const { response } = handleCall(() => {
    context ??= openContext(stack, value);
    return context;
  }, request);
  print(1, response.stdout);
  print(2, response.stderr);
  return response.exitCode;
}

/**
 * Runs a network's plugins as a runtime does (CNI specification 1.1.0, section 3): ADD and CHECK in order, DEL in
 * reverse, each with the result so far, `runtimeConfig` by the capabilities that a plugin asked for.
 */

import type { Output } from "../run.ts";
import type { NetworkList, PluginConfig } from "./conflist.ts";

/** What identifies an attachment and what the pod wants of it. */
export interface Attachment {
  readonly containerId: string;
  /** Path of the pod's namespace as the plugin sees it; empty for a DEL after it went. */
  readonly netns: string;
  readonly ifname: string;
  /** `K=V;K=V`. */
  readonly args: string;
  /** Values by capability, as `portMappings`; given to plugins that declare the capability. */
  readonly capabilityArgs: Readonly<Record<string, unknown>>;
}

/** Commands of the specification that a runtime uses. */
export type CniCommand = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** Starts one plugin. */
export type ExecPlugin = (call: {
  readonly command: CniCommand;
  readonly type: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}) => Promise<Output>;

/** The result of ADD, as the last plugin printed it. */
export type CniResultJson = Readonly<Record<string, unknown>>;

/** A plugin refused or failed. */
export class CniFailure extends Error {
  /** Code of the specification or the plugin's own; 0 when the plugin gave none. */
  readonly code: number;
  readonly plugin: string;

  constructor(command: CniCommand, plugin: string, code: number, msg: string, details: string) {
    super(
      `CNI ${command} by "${plugin}" failed${code > 0 ? ` with code ${code}` : ""}: ${msg}${details === "" ? "" : ` (${details})`}`,
    );
    this.name = "CniFailure";
    this.code = code;
    this.plugin = plugin;
  }
}

function pluginConfig(
  list: NetworkList,
  plugin: PluginConfig,
  extra: Record<string, unknown>,
  attachment?: Attachment,
) {
  const { capabilities, ...rest } = plugin as { capabilities?: Record<string, boolean> } & PluginConfig;
  const wanted = Object.entries(attachment?.capabilityArgs ?? {}).filter(([key]) => capabilities?.[key] === true);
  return {
    ...rest,
    cniVersion: list.version,
    name: list.name,
    ...(wanted.length > 0 ? { runtimeConfig: Object.fromEntries(wanted) } : {}),
    ...extra,
  };
}

async function call(
  exec: ExecPlugin,
  command: CniCommand,
  plugin: PluginConfig,
  stdin: object,
  attachment?: Attachment,
): Promise<string> {
  const env: Record<string, string> = { CNI_COMMAND: command };
  if (attachment !== undefined) {
    env["CNI_CONTAINERID"] = attachment.containerId;
    env["CNI_IFNAME"] = attachment.ifname;
    env["CNI_NETNS"] = attachment.netns;
    if (attachment.args !== "") env["CNI_ARGS"] = attachment.args;
  }
  const output = await exec({ command, type: plugin.type, env, stdin: JSON.stringify(stdin) });
  if (output.code === 0) return output.stdout;
  throw failureOf(command, plugin.type, output);
}

/** The plugin's error object is on standard output; a plugin that died left only words on standard error. */
function failureOf(command: CniCommand, plugin: string, output: Output): CniFailure {
  try {
    const e = JSON.parse(output.stdout) as { code?: number; msg?: string; details?: string };
    if (typeof e.msg === "string") return new CniFailure(command, plugin, Number(e.code ?? 0), e.msg, e.details ?? "");
  } catch {
    // Not the specification's error: below.
  }
  const said = (output.stderr || output.stdout).trim().slice(-1_000);
  return new CniFailure(command, plugin, 0, `status ${output.code}`, said);
}

/**
 * ADD. When a plugin fails, what was made is taken back by DEL before the failure is thrown.
 * @throws CniFailure of the first plugin that failed
 */
export async function addNetwork(exec: ExecPlugin, list: NetworkList, attachment: Attachment): Promise<CniResultJson> {
  let result: CniResultJson | undefined;
  try {
    for (const plugin of list.plugins) {
      const stdout = await call(
        exec,
        "ADD",
        plugin,
        pluginConfig(list, plugin, result ? { prevResult: result } : {}, attachment),
        attachment,
      );
      result = parseResult(plugin.type, stdout);
    }
  } catch (failure) {
    await deleteNetwork(exec, list, attachment, result).catch(() => {
      // The first failure is the one that matters; the caller repeats DEL before the next ADD anyway.
    });
    throw failure;
  }
  return result ?? {};
}

function parseResult(plugin: string, stdout: string): CniResultJson {
  try {
    const result: unknown = JSON.parse(stdout);
    if (typeof result === "object" && result !== null) return result as CniResultJson;
  } catch {
    // Below.
  }
  throw new CniFailure("ADD", plugin, 6, "its result is not a JSON object", stdout.slice(0, 200));
}

/** DEL in reverse order; goes on after a failure. @throws CniFailure, the first */
export async function deleteNetwork(
  exec: ExecPlugin,
  list: NetworkList,
  attachment: Attachment,
  result?: CniResultJson,
): Promise<void> {
  let first: unknown;
  for (const plugin of list.plugins.toReversed()) {
    const config = pluginConfig(list, plugin, result ? { prevResult: result } : {}, attachment);
    await call(exec, "DEL", plugin, config, attachment).catch((failure: unknown) => {
      first ??= failure;
    });
  }
  if (first !== undefined) throw first;
}

/** CHECK in order. @throws CniFailure of the first plugin that complained */
export async function checkNetwork(
  exec: ExecPlugin,
  list: NetworkList,
  attachment: Attachment,
  result: CniResultJson,
): Promise<void> {
  if (list.disableCheck) return;
  for (const plugin of list.plugins)
    await call(exec, "CHECK", plugin, pluginConfig(list, plugin, { prevResult: result }, attachment), attachment);
}

/** STATUS of all plugins (version 1.1.0 and later). @throws CniFailure of the first that is not ready */
export async function networkStatus(exec: ExecPlugin, list: NetworkList): Promise<void> {
  if (list.version !== "1.1.0") return;
  for (const plugin of list.plugins) await call(exec, "STATUS", plugin, pluginConfig(list, plugin, {}));
}

/** GC of all plugins with the attachments that are still wanted. @throws AggregateError with every failure */
export async function collectNetwork(
  exec: ExecPlugin,
  list: NetworkList,
  valid: readonly { readonly containerID: string; readonly ifname: string }[],
): Promise<void> {
  if (list.disableGC) return;
  const failures: unknown[] = [];
  for (const plugin of list.plugins) {
    const config = pluginConfig(list, plugin, { "cni.dev/valid-attachments": valid });
    await call(exec, "GC", plugin, config).catch((failure: unknown) => failures.push(failure));
  }
  if (failures.length > 0) throw new AggregateError(failures, `CNI GC of "${list.name}" left something`);
}

/** Addresses of a result, without prefix lengths, in its order. */
export function resultAddresses(result: CniResultJson): string[] {
  const ips = Array.isArray(result["ips"]) ? (result["ips"] as { address?: unknown }[]) : [];
  return ips.flatMap((ip) => (typeof ip.address === "string" ? [ip.address.split("/")[0] ?? ""] : []));
}

/** The one door for calls: environment and standard input to a checked {@link CniCall}. Never throws. */

import { formatIssues, type Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Reader, readObject } from "../model/read.ts";
import type { Addr } from "../net/addr.ts";
import { type CniArgs, readArgs } from "./args.ts";
import { type CniEnvironment, type CniParameters, ifnameProblem, readEnvironment } from "./environment.ts";
import { CNI_CODE, type CniError, cniError } from "./error.ts";
import type { AttachmentRef, CniCall, CniRequest, NetworkRef, PluginType } from "./request.ts";
import type { CniDns, CniResult } from "./result.ts";
import { readDns, readResult } from "./result-read.ts";
import { type RuntimeWishes, readRuntimeWishes } from "./runtime-config.ts";
import { CNI_VERSIONS, type CniVersion, IMPLIED_VERSION, isAtLeast, isCniVersion, NEWEST_VERSION } from "./version.ts";

/** A refused call, with the version to answer in. */
export interface RefusedCall {
  readonly version: string;
  readonly error: CniError;
}

type Json = Record<string, unknown>;
type Parsed<T> = Result<T, CniError>;

/** Longest standard input that is read, by the shim and here; a GC of 10,000 attachments has some 1 MB. */
export const STDIN_MAX_BYTES = 4 << 20;

/** Attachments that one GC may name. */
const VALID_MAX = 100_000;

function decode(stdin: string): Parsed<Json> {
  if (stdin.length > STDIN_MAX_BYTES)
    return err(
      cniError(CNI_CODE.decode, `Cannot read the network configuration: it is longer than ${STDIN_MAX_BYTES} bytes`),
    );
  try {
    const value: unknown = JSON.parse(stdin);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return ok(value as Json);
    return err(cniError(CNI_CODE.decode, "Cannot read the network configuration: it is not a JSON object"));
  } catch (error) {
    return err(cniError(CNI_CODE.decode, "Cannot read the network configuration: it is not JSON", String(error)));
  }
}

function versionOf(config: Json): Parsed<CniVersion> {
  const given = config["cniVersion"];
  if (given === undefined || given === null || given === "") return ok(IMPLIED_VERSION);
  if (typeof given === "string" && isCniVersion(given)) return ok(given);
  const shown = JSON.stringify(given).slice(0, 64);
  return err(
    cniError(
      CNI_CODE.incompatibleVersion,
      `Cannot speak CNI version ${shown}`,
      `Supported are ${CNI_VERSIONS.join(", ")}`,
    ),
  );
}

/** The version to answer a refusal in: the caller's if it can be. */
function answerVersion(config: Parsed<Json>): string {
  const version = config.ok ? versionOf(config.value) : undefined;
  return version?.ok === true ? version.value : NEWEST_VERSION;
}

const SINCE: Readonly<Record<string, CniVersion>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

function commandProblem(command: string, version: CniVersion): CniError | undefined {
  const since = SINCE[command];
  if (since === undefined || isAtLeast(version, since)) return undefined;
  const msg = `Cannot do ${command} in CNI version "${version}": it came with "${since}"`;
  return cniError(CNI_CODE.incompatibleVersion, msg);
}

function invalid(issues: readonly Issue[]): CniError {
  const [first] = issues;
  const more = issues.length > 1 ? ` and ${issues.length - 1} more` : "";
  const head = first === undefined ? "" : formatIssues([first]);
  return cniError(CNI_CODE.invalidConfig, `Network configuration is invalid: ${head}${more}`, formatIssues(issues));
}

function unsupported(key: string, value: string, hint: string): CniError {
  return cniError(CNI_CODE.unsupportedField, `Cannot honour field "${key}" with value ${value}: ${hint}`);
}

function readType(r: Reader): Parsed<PluginType> {
  const type = r.requiredString("type");
  if (type === "twill" || type === "loopback" || type === "") return ok(type === "loopback" ? type : "twill");
  return err(unsupported("type", JSON.stringify(type.slice(0, 64)), 'this plugin is "twill" and "loopback"'));
}

function readNetwork(r: Reader, version: CniVersion): Parsed<NetworkRef> {
  const type = readType(r);
  if (!type.ok) return type;
  const network = r.requiredString("name");
  if (network !== "" && (network.length > 253 || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(network)))
    r.issue("name", `"${network.slice(0, 64)}" is no name: letters, digits, "_", "." and "-" are allowed`);
  return ok({ version, network, type: type.value });
}

function ipamProblem(r: Reader): CniError | undefined {
  const type = r.object("ipam")?.string("type") ?? "";
  if (type === "" || type === "twill") return undefined;
  return unsupported(
    "ipam.type",
    JSON.stringify(type.slice(0, 64)),
    "Twill gives the addresses itself; leave ipam out",
  );
}

interface Details {
  readonly wishes: RuntimeWishes;
  readonly args: CniArgs;
  readonly mtuBytes: number | undefined;
  readonly prevResult: CniResult | undefined;
}

function readDetails(config: Json, r: Reader, version: CniVersion, argsText: string, issues: Issue[]): Parsed<Details> {
  const args = readArgs(argsText);
  if (!args.ok) return args;
  const ipam = ipamProblem(r);
  if (ipam !== undefined) return err(ipam);
  const wishes = readRuntimeWishes(config, issues);
  if (!wishes.ok) return err(unsupported(wishes.error.key, wishes.error.value, wishes.error.hint));
  const previous = config["prevResult"];
  return ok({
    wishes: wishes.value,
    args: args.value,
    mtuBytes: r.has("mtu") ? r.integer("mtu", 576, 65535) || undefined : undefined,
    prevResult:
      previous === undefined || previous === null ? undefined : readResult(previous, version, issues, "prevResult"),
  });
}

/** `runtimeConfig.ips` and `args.cni.ips` win over `CNI_ARGS`, and so does the MAC (CONVENTIONS.md, "args in network config"). */
function wishedAddrs(wishes: RuntimeWishes, args: CniArgs): readonly Addr[] {
  const all = wishes.addrs.length > 0 ? wishes.addrs : args.addrs;
  return [...new Map(all.map((a) => [a.text, a])).values()];
}

const NO_DETAILS: Details = {
  wishes: { mac: undefined, addrs: [], rangeSets: [], download: undefined, upload: undefined, hostPorts: [] },
  args: { pod: { namespace: undefined, name: undefined, uid: undefined }, addrs: [], mac: undefined },
  mtuBytes: undefined,
  prevResult: undefined,
};

/** The runtime's resolver settings (`servers`, `searches`, `options`), else those of the configuration. */
function readWantedDns(r: Reader): CniDns {
  const asked = r.object("runtimeConfig")?.object("dns");
  if (asked === undefined) return readDns(r.object("dns"));
  const [nameservers, search, options] = [
    asked.strings("servers"),
    asked.strings("searches"),
    asked.strings("options"),
  ];
  return { nameservers, domain: undefined, search, options };
}

function requestOf(parameters: CniParameters, network: NetworkRef, details: Details, r: Reader): CniRequest {
  const { wishes, args } = details;
  return {
    ...network,
    containerId: parameters.containerId,
    ifname: parameters.ifname,
    netns: parameters.netns,
    pod: args.pod,
    mac: wishes.mac ?? args.mac,
    mtuBytes: details.mtuBytes,
    staticAddrs: wishedAddrs(wishes, args),
    rangeSets: wishes.rangeSets,
    download: wishes.download,
    upload: wishes.upload,
    hostPorts: wishes.hostPorts,
    dns: readWantedDns(r),
    prevResult: details.prevResult,
  };
}

/** DEL must not fail for what it does not need: only names have to be right. */
function parseDel(parameters: CniParameters, config: Json, version: CniVersion): Parsed<CniCall> {
  const issues: Issue[] = [];
  const r = readObject(config, issues);
  const network = readNetwork(r, version);
  if (!network.ok) return network;
  if (issues.length > 0) return err(invalid(issues));
  const previous = config["prevResult"];
  const prevResult =
    previous === undefined || previous === null ? undefined : readResult(previous, version, [], "prevResult");
  const request = requestOf(parameters, network.value, { ...NO_DETAILS, prevResult }, readObject({}, []));
  return ok({ kind: "del", request });
}

function parseAttachment(parameters: CniParameters, config: Json, version: CniVersion): Parsed<CniCall> {
  const issues: Issue[] = [];
  const r = readObject(config, issues);
  const network = readNetwork(r, version);
  if (!network.ok) return network;
  const details = readDetails(config, r, version, parameters.args, issues);
  if (!details.ok) return details;
  const kind = parameters.command === "CHECK" ? "check" : "add";
  // loopback has never been given one in practice, and containerd chains nothing before it.
  if (kind === "check" && details.value.prevResult === undefined && network.value.type === "twill")
    r.issue("prevResult", "A value is required for CHECK");
  const request = requestOf(parameters, network.value, details.value, r);
  return issues.length > 0 ? err(invalid(issues)) : ok({ kind, request });
}

const VALID_ATTACHMENTS = "cni.dev/valid-attachments";

function parseGc(config: Json, version: CniVersion): Parsed<CniCall> {
  const issues: Issue[] = [];
  const r = readObject(config, issues);
  const network = readNetwork(r, version);
  if (!network.ok) return network;
  // Without the list everything would be collected: nobody can have meant that by leaving it out.
  if (!r.has(VALID_ATTACHMENTS)) r.issue(VALID_ATTACHMENTS, "A list is required for GC");
  const list = r.objects(VALID_ATTACHMENTS);
  if (list.length > VALID_MAX) r.issue(VALID_ATTACHMENTS, `At most ${VALID_MAX} attachments are allowed`);
  const valid = list.map((a): AttachmentRef => {
    const ifname = a.requiredString("ifname");
    const problem = ifname === "" ? undefined : ifnameProblem(ifname);
    if (problem !== undefined) a.issue("ifname", problem);
    return { containerId: a.requiredString("containerID"), ifname };
  });
  return issues.length > 0 ? err(invalid(issues)) : ok({ kind: "gc", network: network.value, valid });
}

function parseConfigured(parameters: CniParameters, config: Json): Parsed<CniCall> {
  const version = versionOf(config);
  if (!version.ok) return version;
  const problem = commandProblem(parameters.command, version.value);
  if (problem !== undefined) return err(problem);
  switch (parameters.command) {
    case "ADD":
    case "CHECK":
      return parseAttachment(parameters, config, version.value);
    case "DEL":
      return parseDel(parameters, config, version.value);
    case "GC":
      return parseGc(config, version.value);
    default: {
      const issues: Issue[] = [];
      const network = readNetwork(readObject(config, issues), version.value);
      if (!network.ok) return network;
      return issues.length > 0 ? err(invalid(issues)) : ok({ kind: "status", network: network.value });
    }
  }
}

/** Reads one call. VERSION is answered whatever stands on standard input: 0.1.0 gave none. */
export function parseCall(env: CniEnvironment, stdin: string): Result<CniCall, RefusedCall> {
  const config = decode(stdin);
  const refuse = (error: CniError) => err({ version: answerVersion(config), error });
  const parameters = readEnvironment(env);
  if (!parameters.ok) return refuse(parameters.error);
  if (parameters.value.command === "VERSION") {
    const asked = config.ok ? config.value["cniVersion"] : undefined;
    return ok({ kind: "version", asked: typeof asked === "string" ? asked : undefined });
  }
  if (!config.ok) return refuse(config.error);
  const call = parseConfigured(parameters.value, config.value);
  return call.ok ? call : refuse(call.error);
}

/** `CNI_ARGS`: Kubernetes' names of the pod, and the older way to ask for an address. */

import { err, ok, type Result } from "../base/result.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import { isUnicastMac, type Mac, parseMac } from "../net/mac.ts";
import { parseInterfaceAddr } from "../net/prefix.ts";
import { CNI_CODE, type CniError, cniError } from "./error.ts";

/** Kubernetes' names of a pod; undefined where the runtime gave none. */
export interface PodNames {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly uid: string | undefined;
}

/** What {@link readArgs} understands. */
export interface CniArgs {
  readonly pod: PodNames;
  /** `IP=`: one address, or several with commas between. */
  readonly addrs: readonly Addr[];
  /** `MAC=` */
  readonly mac: Mac | undefined;
}

/** Known, and of no use to Twill. */
const IGNORED = new Set(["K8S_POD_INFRA_CONTAINER_ID"]);

/** Longest value kept: the length of a DNS subdomain, which bounds Kubernetes' names. */
const VALUE_MAX = 253;

/** Parses an address with or without a prefix length, which only says how the caller thinks of its network. */
export function parseAddrOrCidr(text: string): Result<Addr> {
  if (!text.includes("/")) return parseAddr(text);
  const r = parseInterfaceAddr(text);
  return r.ok ? ok(r.value.addr) : r;
}

/** A MAC address that an interface can carry. */
export function parseInterfaceMac(text: string): Result<Mac> {
  const r = parseMac(text);
  if (!r.ok || isUnicastMac(r.value)) return r;
  return err(`"${r.value}" is not a unicast MAC address`);
}

/** Reads `K=V;K=V`. Unknown keys are refused unless `IgnoreUnknown` is true, as the reference library does (code 4). */
export function readArgs(text: string): Result<CniArgs, CniError> {
  const problems: string[] = [];
  const values = new Map<string, string>();
  for (const pair of text === "" ? [] : text.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 1) problems.push(`"${pair.slice(0, 64)}" is not KEY=VALUE`);
    else if (pair.length - equals - 1 > VALUE_MAX)
      problems.push(`${pair.slice(0, equals)} is longer than ${VALUE_MAX} characters`);
    else values.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  const take = (key: string) => {
    const value = values.get(key);
    values.delete(key);
    return value === "" ? undefined : value;
  };
  const ignoreUnknown = /^(1|t|true)$/i.test(take("IgnoreUnknown") ?? "");
  const pod = { namespace: take("K8S_POD_NAMESPACE"), name: take("K8S_POD_NAME"), uid: take("K8S_POD_UID") };
  const addrs: Addr[] = [];
  for (const part of take("IP")?.split(",") ?? []) {
    const r = parseAddrOrCidr(part.trim());
    if (r.ok) addrs.push(r.value);
    else problems.push(`IP: ${r.error}`);
  }
  const macText = take("MAC");
  const mac = macText === undefined ? undefined : parseInterfaceMac(macText);
  if (mac?.ok === false) problems.push(`MAC: ${mac.error}`);
  const unknown = [...values.keys()].filter((k) => !IGNORED.has(k));
  if (unknown.length > 0 && !ignoreUnknown)
    problems.push(`unknown ${unknown.map((k) => `"${k.slice(0, 64)}"`).join(", ")}: IgnoreUnknown=1 would allow it`);
  if (problems.length > 0)
    return err(cniError(CNI_CODE.invalidEnvironment, `Environment variable CNI_ARGS: ${problems.join("; ")}`));
  return ok({ pod, addrs, mac: mac?.ok === true ? mac.value : undefined });
}

/** What the runtime asks of one attachment: `runtimeConfig`, `args.cni` and Twill's own `ipam` (CONVENTIONS.md of CNI). */

import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Bandwidth, HostPort } from "../model/endpoint.ts";
import { type Reader, readObject } from "../model/read.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import type { Mac } from "../net/mac.ts";
import { type Prefix, parsePrefix, prefixHas } from "../net/prefix.ts";
import { type AddrRange, rangeOf, rangeOfPrefix } from "../net/range.ts";
import { parseAddrOrCidr, parseInterfaceMac } from "./args.ts";

/** See the file's comment. */
export interface RuntimeWishes {
  readonly mac: Mac | undefined;
  readonly addrs: readonly Addr[];
  readonly rangeSets: readonly (readonly AddrRange[])[];
  readonly download: Bandwidth | undefined;
  readonly upload: Bandwidth | undefined;
  readonly hostPorts: readonly HostPort[];
}

/** No more than this many of anything in a list. */
const LIST_MAX = 64;

/** Host ports of one pod. */
const PORTS_MAX = 1024;

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["tcp", 6],
  ["udp", 17],
  ["sctp", 132],
]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function end(r: Reader, key: string, subnet: Prefix, fallback: Addr): Addr {
  const text = r.string(key);
  if (text === undefined || text === "") return fallback;
  const a = parseAddr(text);
  if (!a.ok) r.issue(key, a.error);
  else if (!prefixHas(subnet, a.value)) r.issue(key, `"${a.value.text}" lies outside subnet "${subnet.text}"`);
  else return a.value;
  return fallback;
}

function readRange(r: Reader): readonly AddrRange[] {
  const text = r.requiredString("subnet");
  if (text === "") return [];
  const subnet = parsePrefix(text);
  if (!subnet.ok) {
    r.issue("subnet", subnet.error);
    return [];
  }
  const whole = rangeOfPrefix(subnet.value);
  const first = end(r, "rangeStart", subnet.value, whole.first);
  const last = end(r, "rangeEnd", subnet.value, whole.last);
  const gateway = r.string("gateway");
  // Every pod's next hop is the same link-local address: there is nothing that a gateway here could change.
  if (gateway !== undefined && gateway !== "" && !parseAddr(gateway).ok)
    r.issue("gateway", `"${gateway.slice(0, 64)}" is not an IP address`);
  try {
    return [rangeOf(first, last)];
  } catch {
    r.issue("rangeEnd", `"${last.text}" comes before "${first.text}"`);
    return [];
  }
}

/** A list of lists of ranges, as `ipRanges` and host-local's `ranges` have it. */
function readRangeSets(
  owner: Record<string, unknown> | undefined,
  key: string,
  path: string,
  issues: Issue[],
): readonly (readonly AddrRange[])[] {
  const value = owner !== undefined && Object.hasOwn(owner, key) ? owner[key] : undefined;
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > LIST_MAX || value.some((s) => !Array.isArray(s) || s.length > LIST_MAX)) {
    issues.push({ path: `${path}.${key}`, message: `Expected a list of at most ${LIST_MAX} lists of ranges` });
    return [];
  }
  return (value as unknown[][]).map((set, i) =>
    set.flatMap((range, j) => readRange(readObject(range, issues, `${path}.${key}[${i}][${j}]`))),
  );
}

function readAddrs(r: Reader | undefined, key: string): readonly Addr[] {
  const texts = r?.strings(key) ?? [];
  if (texts.length > LIST_MAX) r?.issue(key, `At most ${LIST_MAX} addresses are allowed`);
  return texts.slice(0, LIST_MAX).flatMap((text, i) => {
    const a = parseAddrOrCidr(text);
    if (a.ok) return [a.value];
    r?.issue(key, `[${i}]: ${a.error}`);
    return [];
  });
}

function readMac(r: Reader | undefined): Mac | undefined {
  const text = r?.string("mac");
  if (text === undefined || text === "") return undefined;
  const mac = parseInterfaceMac(text);
  if (mac.ok) return mac.value;
  r?.issue("mac", mac.error);
  return undefined;
}

/** A field that this plugin must not take silently: who serves it. */
export interface UnsupportedField {
  readonly key: string;
  readonly value: string;
  readonly hint: string;
}

function unsupported(runtime: Record<string, unknown> | undefined): UnsupportedField | undefined {
  const infiniband = runtime?.["infinibandGUID"];
  if (typeof infiniband === "string" && infiniband !== "")
    return {
      key: "runtimeConfig.infinibandGUID",
      value: infiniband.slice(0, 64),
      hint: "Twill makes Ethernet devices",
    };
  return undefined;
}

/** containerd writes the Go field's own name, which plugins in Go read all the same. */
function spellings(key: string): readonly string[] {
  return [key, key.charAt(0).toUpperCase() + key.slice(1)];
}

function readEither<T>(key: string, read: (spelling: string) => T | undefined): T | undefined {
  return spellings(key)
    .map(read)
    .find((value) => value !== undefined);
}

/** A limit, in bits (reference plugin "bandwidth"): no rate, no limit. */
function readBandwidth(r: Reader | undefined, direction: "ingress" | "egress"): Bandwidth | undefined {
  const read = (key: string) =>
    spellings(key)
      .map((spelling) => r?.integer(spelling, 0, Number.MAX_SAFE_INTEGER) ?? 0)
      .find((n) => n > 0) ?? 0;
  const [rateBits, burstBits] = [read(`${direction}Rate`), read(`${direction}Burst`)];
  return rateBits === 0 ? undefined : { rateBits, burstBits };
}

function readHostPort(r: Reader): readonly HostPort[] {
  const integer = (key: string, least: number) => readEither(key, (k) => r.integer(k, least, 65535));
  const string = (key: string) => readEither(key, (k) => r.string(k));
  const hostPort = integer("hostPort", 0) ?? 0;
  // As the reference plugin: a mapping of no port maps nothing.
  if (hostPort === 0) return [];
  const containerPort = integer("containerPort", 1) ?? hostPort;
  const name = string("protocol") ?? "tcp";
  const protocol = PROTOCOLS.get(name === "" ? "tcp" : name.toLowerCase());
  const text = string("hostIP") ?? "";
  const hostIp = text === "" ? undefined : parseAddr(text);
  if (protocol === undefined) r.issue("protocol", `"${name.slice(0, 64)}" is none of tcp, udp and sctp`);
  if (hostIp?.ok === false) r.issue("hostIP", hostIp.error);
  if (protocol === undefined || hostIp?.ok === false) return [];
  return [{ hostPort, containerPort, protocol, hostIp: hostIp?.value }];
}

function readHostPorts(r: Reader | undefined): readonly HostPort[] {
  const listed = r?.objects("portMappings") ?? [];
  if (listed.length > PORTS_MAX) r?.issue("portMappings", `At most ${PORTS_MAX} ports are allowed`);
  const ports = listed.slice(0, PORTS_MAX).flatMap(readHostPort);
  // Told twice is one; one port that is to lead to two is refused later, by whoever looks for conflicts.
  const text = (p: HostPort) => `${p.protocol} ${p.hostPort} ${p.hostIp?.text} ${p.containerPort}`;
  return [...new Map(ports.map((p) => [text(p), p])).values()];
}

/** Reads the wishes out of a network configuration. `args.cni.ips` adds to `runtimeConfig.ips`. */
export function readRuntimeWishes(
  config: Record<string, unknown>,
  issues: Issue[],
): Result<RuntimeWishes, UnsupportedField> {
  const root = readObject(config, issues);
  const runtime = root.object("runtimeConfig");
  const runtimeJson = isObject(config["runtimeConfig"]) ? config["runtimeConfig"] : undefined;
  const refused = unsupported(runtimeJson);
  if (refused !== undefined) return err(refused);
  const cniArgs = root.object("args")?.object("cni");
  const ipam = isObject(config["ipam"]) ? config["ipam"] : undefined;
  const asked = readRangeSets(runtimeJson, "ipRanges", "runtimeConfig", issues);
  const bandwidth = runtime?.object("bandwidth");
  return ok({
    mac: readMac(runtime),
    addrs: [...readAddrs(runtime, "ips"), ...readAddrs(cniArgs, "ips")],
    rangeSets: asked.length > 0 ? asked : readRangeSets(ipam, "ranges", "ipam", issues),
    download: readBandwidth(bandwidth, "ingress"),
    upload: readBandwidth(bandwidth, "egress"),
    hostPorts: readHostPorts(runtime),
  });
}

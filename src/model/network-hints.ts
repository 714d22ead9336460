/**
 * What a cluster says elsewhere about its pods' network: Flannel's `net-conf.json` and kubeadm's `ClusterConfiguration`.
 * Whoever replaces Flannel need not write down again what stands there.
 */

import * as yaml from "yaml";
import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { parseInterfaceAddr, prefixOf } from "../net/prefix.ts";
import { type Reader, readObject } from "./read.ts";

/** Settings by the paths of the agent's configuration; absent: nothing is said. */
export interface NetworkHints {
  readonly clusterCIDRs: readonly string[];
  readonly tunnel?: { readonly port?: number; readonly vni?: number };
  readonly mtu?: number;
  /** What is asked for there and Twill does otherwise, for people. */
  readonly differences: readonly string[];
}

const MAX_VNI = 0xffffff;
/** Of VXLAN over each family: headers of IP and UDP, its own, and the inner Ethernet header. */
const OVERHEAD_BYTES = { v4: 50, v6: 70 };
/** Less is refused as `mtu` of the configuration. */
const MIN_POD_MTU_BYTES = 576;

/** Bits of a host may be set, as Go's parser lets them: the network counts. */
function cidrOf(r: Reader, key: string, text: string): string[] {
  const parsed = parseInterfaceAddr(text);
  if (parsed.ok) return [prefixOf(parsed.value.addr, parsed.value.length).text];
  r.issue(key, parsed.error);
  return [];
}

function cidr(r: Reader, key: string): string[] {
  const text = r.string(key);
  return text === undefined || text === "" ? [] : cidrOf(r, key, text);
}

/** Flannel's is that of the packets between nodes: pods have what VXLAN leaves of it. */
function podMtu(backend: Reader, overheadBytes: number): number | undefined {
  const mtu = backend.integer("MTU", 0, 65535);
  if (mtu === undefined || mtu === 0) return undefined;
  const least = MIN_POD_MTU_BYTES + overheadBytes;
  if (mtu < least)
    backend.issue("MTU", `${mtu} leaves pods less than ${MIN_POD_MTU_BYTES} bytes: ${least} or more is wanted`);
  return mtu - overheadBytes;
}

function tunnelOf(backend: Reader | undefined, overheadBytes: number): Pick<NetworkHints, "tunnel" | "mtu"> {
  if (backend === undefined) return {};
  const port = backend.integer("Port", 0, 65535) || undefined;
  const vni = backend.integer("VNI", 1, MAX_VNI);
  const mtu = podMtu(backend, overheadBytes);
  const tunnel = { ...(port === undefined ? {} : { port }), ...(vni === undefined ? {} : { vni }) };
  // Flannel's own "not set" is 0.
  return {
    ...(Object.keys(tunnel).length === 0 ? {} : { tunnel }),
    ...(mtu === undefined ? {} : { mtu }),
  };
}

/**
 * Flannel's `net-conf.json` (flannel-io/flannel, Documentation/configuration.md and backends.md).
 * @param text JSON
 */
export function readFlannelNetConf(text: string): Result<NetworkHints, readonly Issue[]> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return err([{ path: "", message: `It is no JSON: ${cause instanceof Error ? cause.message : String(cause)}` }]);
  }
  const issues: Issue[] = [];
  const r = readObject(json, issues);
  const v4 = r.boolean("EnableIPv4") === false ? [] : cidr(r, "Network");
  const v6 = r.boolean("EnableIPv6") === true ? cidr(r, "IPv6Network") : [];
  const backend = r.object("Backend");
  const type = backend?.string("Type") ?? "udp";
  const isVxlan = type === "vxlan";
  const differences = isVxlan ? [] : [`backend "${type}": Twill uses VXLAN`];
  if (isVxlan && backend?.boolean("DirectRouting") === true)
    differences.push("DirectRouting: Twill sends everything through VXLAN");
  if (isVxlan && backend?.boolean("GBP") === true) differences.push("GBP: Twill sets no group policy bits");
  const isV6Only = r.boolean("EnableIPv4") === false;
  const tunnel = isVxlan ? tunnelOf(backend, isV6Only ? OVERHEAD_BYTES.v6 : OVERHEAD_BYTES.v4) : {};
  const clusterCIDRs = [...v4, ...v6];
  if (issues.length === 0 && clusterCIDRs.length === 0)
    r.issue("Network", "A network is required, such as 10.244.0.0/16");
  if (issues.length > 0) return err(issues);
  return ok({ clusterCIDRs, ...tunnel, differences });
}

/**
 * `networking.podSubnet` of kubeadm's ClusterConfiguration (kubeadm.k8s.io, every version).
 * @param text YAML
 * @returns undefined when it names no subnet
 */
export function readKubeadmConfig(text: string): Result<NetworkHints | undefined, readonly Issue[]> {
  let value: unknown;
  try {
    value = yaml.parse(text, { maxAliasCount: 16 });
  } catch (cause) {
    return err([{ path: "", message: `It is no YAML: ${cause instanceof Error ? cause.message : String(cause)}` }]);
  }
  const issues: Issue[] = [];
  const networking = readObject(value, issues).object("networking");
  const subnets = (networking?.string("podSubnet") ?? "").split(",").filter((s) => s !== "");
  const clusterCIDRs = subnets.flatMap((s) => (networking ? cidrOf(networking, "podSubnet", s.trim()) : []));
  if (issues.length > 0) return err(issues);
  return ok(clusterCIDRs.length === 0 ? undefined : { clusterCIDRs, differences: [] });
}

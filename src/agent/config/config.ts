/** Configuration: a YAML file, then flags over it, checked as one; all issues reported. */

import * as yaml from "yaml";
import { formatIssues, type Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type ClusterPool, clusterPoolIssues } from "../../ipam/carve.ts";
import type { Family } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { AddrRange } from "../../net/range.ts";
import { type AddressMethod, methodText } from "../../plan/node-address.ts";
import type { NetworkSettings } from "../../plan/settings.ts";
import type { Failsafes } from "../../policy/failsafe.ts";
import type { PolicyMode } from "../../policy/from-objects.ts";
import type { Algorithm, Forwarding } from "../../service/service-plan.ts";
import type { ClusterChoice, ListenAddress } from "./fields.ts";
import { readIssues } from "./issues.ts";
import { keysAt } from "./keys.ts";
import { configSchema, type ParsedConfig } from "./schema.ts";
import { laidOver, withValue } from "./tree.ts";

/** Where things are on this node. */
export interface AgentPaths {
  readonly run: string;
  readonly bpffs: string;
  readonly pins: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
}

/** A complete and valid configuration. */
export interface AgentConfig {
  readonly nodeName: string;
  readonly cluster: ClusterChoice;
  readonly kubeconfig: string | undefined;
  /** See {@link ApiPlace}. */
  readonly apiServer: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly network: NetworkSettings;
  /** See {@link ParsedConfig}; undefined: none. */
  readonly startupTaint: string | undefined;
  /** How this node's address of each family is found. */
  readonly nodeAddress: Readonly<Record<Family, AddressMethod>>;
  /** Cluster CIDRs with the length of each node's share. */
  readonly clusterPools: readonly ClusterPool[];
  /** Lengths of nodes' shares, also of IPPools that say none. */
  readonly nodeLengths: Readonly<Record<Family, number>>;
  /** Nodes without pod CIDRs are given some. */
  readonly givesNodeCidrs: boolean;
  readonly ipam: { readonly coolDownMs: number; readonly reserved: readonly AddrRange[] };
  readonly policy: {
    readonly mode: PolicyMode;
    /** What no policy of the node itself closes. */
    readonly failsafes: Failsafes;
    /** This agent may be the one that writes the status of policies. */
    readonly writesStatus: boolean;
    /** For how long an ADD waits for its pod's object. */
    readonly startTimeoutMs: number;
  };
  readonly services: {
    readonly isEnabled: boolean;
    /** Of services that ask for none. */
    readonly algorithm: Algorithm;
    /** A prime. */
    readonly maglevTableSize: number;
    /** Of services that ask for none. */
    readonly forwarding: Forwarding;
    /** Load balancers' addresses are answered for on the wire. */
    readonly isAnnounced: boolean;
    /** Where node ports are open; empty: on all addresses of the node. */
    readonly nodePortAddresses: readonly Prefix[];
    /** Path of the control group whose sockets are given backends; `auto`: the node's own root. */
    readonly socketCgroup: string | "auto" | "off";
  };
  /** Entries by map where they are not the object's own figures. */
  readonly mapSizes: ReadonlyMap<string, number>;
  readonly cni: { readonly isInstalled: boolean; readonly networkName: string };
  readonly paths: AgentPaths;
  readonly logLevel: ParsedConfig["log"]["level"];
  readonly metricsListen: ListenAddress | undefined;
  readonly healthListen: ListenAddress | undefined;
  readonly resyncMs: number;
}

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  readonly code = "CONFIG_INVALID";
  readonly issues: readonly Issue[];

  constructor(source: string, issues: readonly Issue[], options?: ErrorOptions) {
    super(`Cannot use the configuration ${source}:\n${formatIssues(issues)}`, options);
    this.name = "ConfigError";
    this.issues = issues;
  }
}

/** What stands beside the file. */
export interface ConfigOverrides {
  /** Values by path (`tunnel.port`), as on the command line: read as YAML scalars or flow collections. */
  readonly set: ReadonlyMap<string, string>;
  /** Node name when neither file nor flags give one. */
  readonly defaultNodeName: string;
  /** Values where neither file nor flags say anything: see {@link learnNetwork}. */
  readonly base?: object;
  /** Values over the file and below the flags, the later counting before the earlier: objects of the cluster. */
  readonly over?: readonly object[];
}

function parseYaml(text: string): Result<unknown, readonly Issue[]> {
  const [doc, more] = yaml.parseAllDocuments(text, {
    prettyErrors: true,
    uniqueKeys: true,
  }) as readonly yaml.Document[];
  if (doc === undefined) return ok({});
  if (more !== undefined) return err([{ path: "", message: "It has more than one document: all keys stand in one" }]);
  if (doc.errors.length > 0)
    return err(doc.errors.map((e) => ({ path: "", message: (e.message.split("\n")[0] ?? "").replace(/[:\s]+$/, "") })));
  try {
    // A file of nothing but aliases to aliases must not become gigabytes.
    return ok(doc.toJS({ maxAliasCount: 16 }) ?? {});
  } catch (cause) {
    return err([{ path: "", message: cause instanceof Error ? cause.message : String(cause) }]);
  }
}

function crossIssues(c: ParsedConfig, pools: readonly ClusterPool[]): Issue[] {
  const issues = clusterPoolIssues(pools).map((i) => {
    const family = i.path.endsWith(".nodeLength")
      ? pools[Number(/\[(\d+)\]/.exec(i.path)?.[1])]?.prefix.family
      : undefined;
    return family === undefined
      ? { path: `clusterCIDRs${i.path}`, message: i.message }
      : { path: `nodeMaskSize.ipv${family}`, message: i.message };
  });
  if (!`${c.paths.pins}/`.startsWith(`${c.paths.bpffs}/`))
    issues.push({ path: "paths.pins", message: `"${c.paths.pins}" is not below paths.bpffs "${c.paths.bpffs}"` });
  if (c.allocateNodeCIDRs && c.cluster.kind === "dir")
    issues.push({
      path: "allocateNodeCIDRs",
      message: "true needs a Kubernetes API: in a directory of objects each Node says its spec.podCIDRs",
    });
  if (c.cluster.kind === "dir")
    for (const [family, method] of Object.entries(c.nodeAddress))
      if (method.kind !== "internal-ip")
        issues.push({
          path: `nodeAddress.${family}`,
          message: `"${methodText(method)}" needs a Kubernetes API: in a directory of objects each Node says its addresses`,
        });
  const events = c.maps.events;
  if (events !== undefined && (events < 4096 || (events & (events - 1)) !== 0))
    issues.push({ path: "maps.events", message: `${events} is not a power of two of at least 4096` });
  return issues;
}

function complete(c: ParsedConfig, pools: readonly ClusterPool[], defaultNodeName: string): AgentConfig {
  const sizes = Object.entries(c.maps).filter((e): e is [string, number] => e[1] !== undefined);
  return {
    nodeName: c.nodeName ?? defaultNodeName,
    cluster: c.cluster,
    kubeconfig: c.kubeconfig,
    apiServer: c.kubernetes.apiServer,
    tlsServerName: c.kubernetes.tlsServerName,
    network: {
      clusterCidrs: c.clusterCIDRs,
      tunnel: { port: c.tunnel.port, vni: c.tunnel.vni, hasShortcut: c.tunnel.shortcut },
      mtuBytes: c.mtu,
      devices: c.devices,
      masquerade: {
        isEnabled: c.masquerade.enabled,
        excludeCidrs: c.masquerade.excludeCIDRs,
        ports: c.masquerade.portRange,
      },
      rejectsDenied: c.policy.reject,
    },
    startupTaint: c.startupTaint,
    nodeAddress: { 4: c.nodeAddress.ipv4, 6: c.nodeAddress.ipv6 },
    clusterPools: pools,
    nodeLengths: { 4: c.nodeMaskSize.ipv4, 6: c.nodeMaskSize.ipv6 },
    givesNodeCidrs: c.allocateNodeCIDRs,
    policy: {
      mode: c.policy.mode,
      failsafes: { ingress: c.policy.failsafe.inbound, egress: c.policy.failsafe.outbound },
      writesStatus: c.policy.writeStatus,
      startTimeoutMs: c.policy.startTimeoutSeconds * 1000,
    },
    services: {
      isEnabled: c.services.enabled,
      algorithm: c.services.algorithm,
      maglevTableSize: c.services.maglevTableSize,
      forwarding: c.services.forwarding,
      isAnnounced: c.services.announce,
      nodePortAddresses: c.services.nodePortAddresses,
      socketCgroup: c.services.socketCgroup,
    },
    ipam: { coolDownMs: c.ipam.coolDownSeconds * 1000, reserved: c.ipam.reserved },
    mapSizes: new Map(sizes),
    cni: { isInstalled: c.cni.install, networkName: c.cni.networkName },
    paths: c.paths,
    logLevel: c.log.level,
    metricsListen: c.metrics.listen,
    healthListen: c.health.listen,
    resyncMs: c.resyncSeconds * 1000,
  };
}

/** A configuration before and after it was read. */
export interface ReadConfig {
  /** Everything that somebody said, laid over each other. */
  readonly input: unknown;
  readonly parsed: ParsedConfig;
  readonly config: AgentConfig;
}

/** Lays everything over each other that is said of a configuration: see {@link ConfigOverrides}. */
export function configInput(text: string, overrides: ConfigOverrides): Result<unknown, readonly Issue[]> {
  const file = parseYaml(text);
  if (!file.ok) return file;
  let input = [file.value, ...(overrides.over ?? [])].reduce(laidOver, overrides.base ?? {});
  const issues: Issue[] = [];
  for (const [path, valueText] of overrides.set) {
    const value = parseYaml(valueText);
    if (value.ok) input = withValue(input, path.split("."), value.value);
    else issues.push(...value.error.map((i) => ({ path, message: i.message })));
  }
  // What is wrong with the rest is worth knowing, too.
  return issues.length > 0 ? err([...issues, ...complaints(input)]) : ok(input);
}

function complaints(input: unknown): readonly Issue[] {
  const parsed = configSchema.safeParse(input);
  return parsed.success ? [] : readIssues(parsed.error, input, (path) => keysAt(configSchema, path));
}

/** Checks keys and values. */
export function readConfig(input: unknown, defaultNodeName: string): Result<ReadConfig, readonly Issue[]> {
  const { data: parsed, error } = configSchema.safeParse(input);
  if (parsed === undefined) return err(readIssues(error, input, (path) => keysAt(configSchema, path)));
  const { nodeMaskSize, clusterCIDRs } = parsed;
  const pools = clusterCIDRs.map((prefix) => ({
    prefix,
    nodeLength: prefix.family === 4 ? nodeMaskSize.ipv4 : nodeMaskSize.ipv6,
  }));
  const issues = crossIssues(parsed, pools);
  return issues.length > 0 ? err(issues) : ok({ input, parsed, config: complete(parsed, pools, defaultNodeName) });
}

/** Reads a configuration from the text of its file (empty: all defaults) and what stands beside it. */
export function parseConfig(text: string, overrides: ConfigOverrides): Result<AgentConfig, readonly Issue[]> {
  const input = configInput(text, overrides);
  if (!input.ok) return input;
  const read = readConfig(input.value, overrides.defaultNodeName);
  return read.ok ? ok(read.value.config) : read;
}

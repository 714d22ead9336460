/** The tables of a cluster source: how objects of each are read, keyed and compared. */

import { isDeepStrictEqual } from "node:util";
import type { Issue } from "../base/issue.ts";
import type { Result } from "../base/result.ts";
import { parseCalicoIpPool } from "../model/calico-ip-pool.ts";
import { parseClusterConfiguration, parseNodeConfiguration } from "../model/configuration.ts";
import { parseEndpointSlice } from "../model/endpoint-slice.ts";
import type { Interner } from "../model/intern.ts";
import { parseIpPool } from "../model/ip-pool.ts";
import { parseCiliumLoadBalancerPool, parseLoadBalancerPool } from "../model/load-balancer-pool.ts";
import { parseNamespace } from "../model/namespace.ts";
import { parseNode } from "../model/node.ts";
import { parsePod, podKey } from "../model/pod.ts";
import { parseAdminNetworkPolicy, parseBaselineAdminNetworkPolicy } from "../model/policy/admin-network-policy.ts";
import {
  parseCalicoTier,
  parseGlobalNetworkSet,
  parseHostEndpoint,
  parseNetworkSet,
  parseStagedKubernetesNetworkPolicy,
} from "../model/policy/calico-objects.ts";
import {
  parseCalicoNetworkPolicy,
  parseGlobalNetworkPolicy,
  parseStagedGlobalNetworkPolicy,
  parseStagedNetworkPolicy,
} from "../model/policy/calico-policy.ts";
import {
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "../model/policy/cilium-policy.ts";
import { parseClusterNetworkPolicy } from "../model/policy/cluster-network-policy.ts";
import { parseNetworkPolicy } from "../model/policy/network-policy.ts";
import { parseService } from "../model/service.ts";
import { parseServiceAccount } from "../model/service-account.ts";
import type { ClusterRows, ClusterTable } from "./source.ts";

/** One row of any table. */
export type AnyRow = ClusterRows[ClusterTable];

/** Where objects of one kind are served. */
export interface Collection {
  readonly apiVersion: string;
  /** Path over all namespaces. */
  readonly path: string;
}

/** How one table is filled. */
export interface TableKind {
  readonly table: ClusterTable;
  readonly kind: string;
  /** In the order in which they are tried. */
  readonly collections: readonly [Collection, ...Collection[]];
  readonly isNamespaced: boolean;
  /** A cluster may not have it: then the table is empty. */
  readonly isOptional: boolean;
  /** Followed only when something asks for it: see {@link ClusterSource.want}. */
  readonly isOnDemand: boolean;
  parse(value: unknown, interner: Interner): Result<AnyRow, readonly Issue[]>;
  keyOf(row: AnyRow): string;
}

type Parse<T extends ClusterTable> = (value: unknown, interner: Interner) => Result<ClusterRows[T], readonly Issue[]>;

interface Served {
  readonly kind: string;
  readonly plural: string;
  readonly apiVersions: readonly [string, ...string[]];
  readonly isNamespaced: boolean;
  readonly isOnDemand?: true;
}

function collection(apiVersion: string, plural: string): Collection {
  const root = apiVersion.includes("/") ? "apis" : "api";
  return { apiVersion, path: `/${root}/${apiVersion}/${plural}` };
}

function kindOf<T extends ClusterTable>(
  table: T,
  served: Served,
  parse: Parse<T>,
  keyOf: (row: ClusterRows[T]) => string,
): TableKind {
  const [first, ...others] = served.apiVersions;
  return {
    table,
    kind: served.kind,
    collections: [collection(first, served.plural), ...others.map((v) => collection(v, served.plural))],
    isNamespaced: served.isNamespaced,
    // What every Kubernetes has.
    isOptional: first !== "v1" && first !== "networking.k8s.io/v1",
    isOnDemand: served.isOnDemand ?? false,
    parse,
    // The table's name says which rows it has; the casts stay in here.
    keyOf: keyOf as (row: AnyRow) => string,
  };
}

function core<T extends ClusterTable>(
  table: T,
  kind: string,
  isNamespaced: boolean,
  parse: Parse<T>,
  keyOf: (row: ClusterRows[T]) => string,
): TableKind {
  return kindOf(table, { kind, plural: table, apiVersions: ["v1"], isNamespaced }, parse, keyOf);
}

type Named = { readonly name: string };
type InNamespace = Named & { readonly namespace: string };

const byName = (row: Named) => row.name;
const byNamespace = (row: InNamespace) => podKey(row.namespace, row.name);

const ADMIN = ["policy.networking.k8s.io/v1alpha1"] as const;
const CALICO = ["projectcalico.org/v3", "crd.projectcalico.org/v1"] as const;
const CILIUM = ["cilium.io/v2", "cilium.io/v2alpha1"] as const;
const OWN = ["twill.dev/v1alpha1"] as const;
const DISCOVERY = ["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"] as const;

function pluralOf(kind: string): string {
  return `${kind.toLowerCase().replace(/y$/, "ie")}s`;
}

function ofCluster<T extends ClusterTable>(
  table: T,
  kind: string,
  apiVersions: Served["apiVersions"],
  parse: Parse<T> & ((value: unknown, interner: Interner) => Result<ClusterRows[T] & Named, readonly Issue[]>),
): TableKind {
  return kindOf<T>(
    table,
    { kind, plural: pluralOf(kind), apiVersions, isNamespaced: false },
    parse,
    byName as (row: ClusterRows[T]) => string,
  );
}

function ofNamespaces<T extends ClusterTable>(
  table: T,
  kind: string,
  apiVersions: Served["apiVersions"],
  parse: Parse<T> & ((value: unknown, interner: Interner) => Result<ClusterRows[T] & InNamespace, readonly Issue[]>),
): TableKind {
  return kindOf<T>(
    table,
    { kind, plural: pluralOf(kind), apiVersions, isNamespaced: true },
    parse,
    byNamespace as (row: ClusterRows[T]) => string,
  );
}

function onDemand<T extends "services" | "endpointSlices" | "serviceAccounts">(
  table: T,
  kind: string,
  apiVersions: Served["apiVersions"],
  parse: Parse<T>,
): TableKind {
  const served = { kind, plural: pluralOf(kind), apiVersions, isNamespaced: true, isOnDemand: true } as const;
  return kindOf<T>(table, served, parse, byNamespace);
}

/** Of use only where services are served. */
function poolsOf<T extends "loadBalancerPools" | "ciliumLoadBalancerPools">(
  table: T,
  kind: string,
  apiVersions: Served["apiVersions"],
  parse: Parse<T>,
): TableKind {
  const served = { kind, plural: pluralOf(kind), apiVersions, isNamespaced: false, isOnDemand: true } as const;
  return kindOf<T>(table, served, parse, byName as (row: ClusterRows[T]) => string);
}

/** Every table, in the order in which they should be filled. */
export const TABLE_KINDS: readonly TableKind[] = [
  core("namespaces", "Namespace", false, parseNamespace, byName),
  core("nodes", "Node", false, parseNode, byName),
  core("pods", "Pod", true, parsePod, byNamespace),
  ofNamespaces("networkPolicies", "NetworkPolicy", ["networking.k8s.io/v1"], parseNetworkPolicy),
  ofCluster(
    "clusterNetworkPolicies",
    "ClusterNetworkPolicy",
    ["policy.networking.k8s.io/v1alpha2", "policy.networking.k8s.io/v1beta1"],
    parseClusterNetworkPolicy,
  ),
  ofCluster("adminNetworkPolicies", "AdminNetworkPolicy", ADMIN, parseAdminNetworkPolicy),
  ofCluster("baselineAdminNetworkPolicies", "BaselineAdminNetworkPolicy", ADMIN, parseBaselineAdminNetworkPolicy),
  ofCluster("calicoTiers", "Tier", CALICO, parseCalicoTier),
  ofNamespaces("networkSets", "NetworkSet", CALICO, parseNetworkSet),
  ofCluster("globalNetworkSets", "GlobalNetworkSet", CALICO, parseGlobalNetworkSet),
  ofCluster("hostEndpoints", "HostEndpoint", CALICO, parseHostEndpoint),
  ofNamespaces("calicoNetworkPolicies", "NetworkPolicy", CALICO, parseCalicoNetworkPolicy),
  ofCluster("globalNetworkPolicies", "GlobalNetworkPolicy", CALICO, parseGlobalNetworkPolicy),
  ofNamespaces("stagedNetworkPolicies", "StagedNetworkPolicy", CALICO, parseStagedNetworkPolicy),
  ofCluster("stagedGlobalNetworkPolicies", "StagedGlobalNetworkPolicy", CALICO, parseStagedGlobalNetworkPolicy),
  kindOf(
    "stagedKubernetesNetworkPolicies",
    {
      kind: "StagedKubernetesNetworkPolicy",
      plural: "stagedkubernetesnetworkpolicies",
      apiVersions: CALICO,
      isNamespaced: true,
    },
    parseStagedKubernetesNetworkPolicy,
    (row) => byNamespace(row.policy),
  ),
  ofNamespaces("ciliumNetworkPolicies", "CiliumNetworkPolicy", ["cilium.io/v2"], parseCiliumNetworkPolicy),
  ofCluster(
    "ciliumClusterwideNetworkPolicies",
    "CiliumClusterwideNetworkPolicy",
    ["cilium.io/v2"],
    parseCiliumClusterwideNetworkPolicy,
  ),
  ofCluster("clusterConfigurations", "ClusterConfiguration", OWN, parseClusterConfiguration),
  ofCluster("nodeConfigurations", "NodeConfiguration", OWN, parseNodeConfiguration),
  ofCluster("ipPools", "IPPool", OWN, parseIpPool),
  ofCluster("calicoIpPools", "IPPool", CALICO, parseCalicoIpPool),
  ofCluster("ciliumCidrGroups", "CiliumCIDRGroup", CILIUM, parseCiliumCidrGroup),
  poolsOf("loadBalancerPools", "LoadBalancerPool", ["twill.dev/v1alpha1"], parseLoadBalancerPool),
  poolsOf("ciliumLoadBalancerPools", "CiliumLoadBalancerIPPool", CILIUM, parseCiliumLoadBalancerPool),
  onDemand("services", "Service", ["v1"], parseService),
  onDemand("endpointSlices", "EndpointSlice", DISCOVERY, parseEndpointSlice),
  onDemand("serviceAccounts", "ServiceAccount", ["v1"], parseServiceAccount),
];

/** Names of all tables. */
export const TABLE_NAMES: readonly ClusterTable[] = TABLE_KINDS.map((k) => k.table);

/** API group of an apiVersion; `""` for the core. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

/** Whether its objects have conditions to be written: what a cluster may lack are kinds whose definitions can give a status. */
export function hasStatus(kind: TableKind): boolean {
  return kind.isOptional && !kind.isOnDemand;
}

/** The kind of objects that say they are such. */
export function findTableKind(apiVersion: string, kind: string): TableKind | undefined {
  return TABLE_KINDS.find((k) => k.kind === kind && k.collections.some((c) => c.apiVersion === apiVersion));
}

const firstOfKind = new Map(TABLE_KINDS.toReversed().map((k) => [k.kind, k]));

/** A kind for people; where two groups have it, the later's with its group. */
function nameOf(kind: TableKind): string {
  const [group = ""] = kind.collections[0].apiVersion.split("/");
  return firstOfKind.get(kind.kind) === kind ? kind.kind : `${kind.kind}.${group}`;
}

/** What a table holds, for people: its kind. */
export function titleOf(table: ClusterTable): string {
  const kind = TABLE_KINDS.find((k) => k.table === table);
  return kind === undefined ? table : nameOf(kind);
}

/** Which object a row is, for people: `kind key`. */
export function subjectOf(kind: TableKind, key: string): string {
  return `${nameOf(kind)} ${key}`;
}

/** Key of an object that could not be read, as far as its name can be made out. */
export function keyOfRaw(kind: TableKind, value: unknown): string {
  const metadata = (value as { metadata?: { name?: unknown; namespace?: unknown } } | null)?.metadata;
  const name = typeof metadata?.name === "string" ? metadata.name : "";
  const namespace = typeof metadata?.namespace === "string" ? metadata.namespace : "default";
  return kind.isNamespaced ? podKey(namespace, name) : name;
}

/**
 * Whether two rows say the same. Most changes of nodes are heartbeats and most of pods are conditions: they must wake
 * nobody.
 */
export function isSameRow(a: AnyRow | undefined, b: AnyRow | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && isDeepStrictEqual(a, b));
}

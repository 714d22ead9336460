/** From the cluster's objects of every dialect to rules: what a compilation is made from, addresses aside. */

import type { Namespace } from "../model/namespace.ts";
import type {
  CalicoHostEndpoint,
  CalicoNetworkSet,
  CalicoTier,
  StagedKubernetesNetworkPolicy,
} from "../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../model/policy/calico-policy.ts";
import type { CiliumCidrGroup, CiliumPolicy } from "../model/policy/cilium-policy.ts";
import type { ClusterNetworkPolicy } from "../model/policy/cluster-network-policy.ts";
import type { NetworkPolicy } from "../model/policy/network-policy.ts";
import {
  CALICO_TIERS,
  translateCalicoPolicy,
  translateCalicoTier,
  translateStagedKubernetes,
} from "./dialects/calico.ts";
import { calicoNetworkSetLabels, calicoViews } from "./dialects/calico-labels.ts";
import { translateCiliumPolicy } from "./dialects/cilium.ts";
import { CILIUM_VIEWS } from "./dialects/cilium-labels.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { translateNetworkPolicy } from "./dialects/kubernetes.ts";
import { type LabelViews, namespaceLabels } from "./facts.ts";
import type { Overlay } from "./identity.ts";
import type { LabelMap } from "./label-expr.ts";
import type { Policy, Tier } from "./rule.ts";

/** A table of the cluster. The same object as long as no row of it has changed. */
export interface ObjectTable<Row> extends Iterable<Row> {
  get(key: string): Row | undefined;
  readonly size: number;
}

/** The tables that hold policy. */
export interface PolicyObjects {
  readonly namespaces: ObjectTable<Namespace>;
  readonly networkPolicies: ObjectTable<NetworkPolicy>;
  readonly clusterNetworkPolicies: ObjectTable<ClusterNetworkPolicy>;
  readonly adminNetworkPolicies: ObjectTable<ClusterNetworkPolicy>;
  readonly baselineAdminNetworkPolicies: ObjectTable<ClusterNetworkPolicy>;
  readonly calicoTiers: ObjectTable<CalicoTier>;
  readonly networkSets: ObjectTable<CalicoNetworkSet>;
  readonly globalNetworkSets: ObjectTable<CalicoNetworkSet>;
  readonly hostEndpoints: ObjectTable<CalicoHostEndpoint>;
  readonly calicoNetworkPolicies: ObjectTable<CalicoPolicy>;
  readonly globalNetworkPolicies: ObjectTable<CalicoPolicy>;
  readonly stagedNetworkPolicies: ObjectTable<CalicoPolicy>;
  readonly stagedGlobalNetworkPolicies: ObjectTable<CalicoPolicy>;
  readonly stagedKubernetesNetworkPolicies: ObjectTable<StagedKubernetesNetworkPolicy>;
  readonly ciliumNetworkPolicies: ObjectTable<CiliumPolicy>;
  readonly ciliumClusterwideNetworkPolicies: ObjectTable<CiliumPolicy>;
  readonly ciliumCidrGroups: ObjectTable<CiliumCidrGroup>;
}

/** What the objects say. Every part is the same object as before as long as it says the same. */
export interface PolicyRules {
  readonly policies: readonly Policy[];
  readonly tiers: readonly Tier[];
  /** How the dialects in use see labels: facts made with other views are void. */
  readonly views: LabelViews;
  readonly overlays: readonly Overlay[];
}

/** Reads the tables again and again; what has not changed is not translated anew. */
export interface RuleReader {
  read(objects: PolicyObjects): PolicyRules;
}

const NO_LABELS: LabelMap = new Map();

/** A function of several values that remembers its last answer. */
function remember<A extends readonly unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  let last: { readonly args: A; readonly result: R } | undefined;
  return (...args) => {
    if (last?.args.every((a, i) => a === args[i])) return last.result;
    last = { args, result: work(...args) };
    return last.result;
  };
}

/** A translation of single objects that remembers what it made of each, until the context is another. */
function perObject<Row extends object, Context>(translate: (row: Row, context: Context) => readonly Policy[]) {
  let known = new WeakMap<Row, readonly Policy[]>();
  let current: Context | undefined;
  return (rows: Iterable<Row>, context: Context): Policy[] => {
    if (context !== current) known = new WeakMap();
    current = context;
    return [...rows].flatMap((row) => {
      const policies = known.get(row) ?? translate(row, context);
      known.set(row, policies);
      return policies;
    });
  };
}

function overlaysOf(sets: readonly CalicoNetworkSet[], labelsOf: (name: string) => LabelMap): Overlay[] {
  return sets.flatMap((set) => {
    const labels = new Map([["calico", [calicoNetworkSetLabels(set, labelsOf)]]] as const);
    return set.nets.map((prefix) => ({ prefix, entities: new Set(), labels, services: new Set() }) as const);
  });
}

function viewsOf(hasCalico: boolean, hasCilium: boolean, hostEndpoints: ObjectTable<CalicoHostEndpoint>): LabelViews {
  const calico = hasCalico ? calicoViews([...hostEndpoints], () => NO_LABELS) : {};
  const cilium = hasCilium ? CILIUM_VIEWS : {};
  return {
    pod: (pod, namespace) =>
      new Map([...(calico.pod?.(pod, namespace) ?? []), ...(cilium.pod?.(pod, namespace) ?? [])]),
    node: (node, isLocal) =>
      new Map([...(calico.node?.(node, isLocal) ?? []), ...(cilium.node?.(node, isLocal) ?? [])]),
  };
}

/** Nothing has been read. */
export function createRuleReader(): RuleReader {
  const noContext = undefined;
  const kubernetes = perObject((p: NetworkPolicy, _: undefined) => [translateNetworkPolicy(p)]);
  const cluster = perObject((p: ClusterNetworkPolicy, _: undefined) => [translateClusterNetworkPolicy(p)]);
  const calico = perObject(translateCalicoPolicy);
  const staged = perObject((p: StagedKubernetesNetworkPolicy, _: undefined) => translateStagedKubernetes(p));
  const cilium = perObject(translateCiliumPolicy);
  const views = remember(viewsOf);
  const calicoContext = remember(
    (namespaces: PolicyObjects["namespaces"], own: Iterable<CalicoNetworkSet>, global: Iterable<CalicoNetworkSet>) => ({
      networkSets: [...own, ...global],
      namespaceLabels: (name: string) => namespaceLabels(name, namespaces.get(name)),
      backends: () => [],
    }),
  );
  const ciliumContext = remember((groups: Iterable<CiliumCidrGroup>) => ({
    cidrGroups: [...groups],
    services: [],
    backends: () => [],
  }));
  const overlays = remember((context: ReturnType<typeof calicoContext>) =>
    overlaysOf(context.networkSets, context.namespaceLabels),
  );
  const tiers = remember((declared: Iterable<CalicoTier>, hasCalico: boolean) => [
    ...[...declared].map(translateCalicoTier),
    ...(hasCalico ? CALICO_TIERS : []),
  ]);

  return {
    read(o) {
      const ofCalico = [
        ...o.calicoNetworkPolicies,
        ...o.globalNetworkPolicies,
        ...o.stagedNetworkPolicies,
        ...o.stagedGlobalNetworkPolicies,
      ];
      const ofCilium = [...o.ciliumNetworkPolicies, ...o.ciliumClusterwideNetworkPolicies];
      const hasCalico = ofCalico.length + o.stagedKubernetesNetworkPolicies.size + o.hostEndpoints.size > 0;
      // Sets mean something to Calico's selectors only: where there are none, namespaces change nothing.
      const hasSets = o.networkSets.size + o.globalNetworkSets.size > 0;
      const context = calicoContext(hasCalico ? o.namespaces : NO_NAMESPACES, o.networkSets, o.globalNetworkSets);
      return {
        policies: [
          ...kubernetes(o.networkPolicies, noContext),
          ...cluster([...o.clusterNetworkPolicies, ...o.adminNetworkPolicies], noContext),
          ...cluster(o.baselineAdminNetworkPolicies, noContext),
          ...calico(ofCalico, context),
          ...staged(o.stagedKubernetesNetworkPolicies, noContext),
          ...cilium(ofCilium, ciliumContext(o.ciliumCidrGroups)),
        ],
        tiers: tiers(o.calicoTiers, hasCalico),
        views: views(hasCalico, ofCilium.length > 0, o.hostEndpoints),
        overlays: hasCalico && hasSets ? overlays(context) : NO_OVERLAYS,
      };
    },
  };
}

const NO_OVERLAYS: readonly Overlay[] = [];
const NO_NAMESPACES: PolicyObjects["namespaces"] = {
  get: () => undefined,
  size: 0,
  [Symbol.iterator]: () => [].values(),
};

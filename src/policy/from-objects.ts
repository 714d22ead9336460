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
import { hostPrefix } from "../net/prefix.ts";
import {
  CALICO_TIERS,
  translateCalicoPolicy,
  translateCalicoTier,
  translateStagedKubernetes,
} from "./dialects/calico.ts";
import { translateHostEndpoint } from "./dialects/calico-host.ts";
import { asksAccounts, calicoNetworkSetLabels, calicoViews } from "./dialects/calico-labels.ts";
import type { CalicoContext } from "./dialects/calico-match.ts";
import { translateCiliumPolicy } from "./dialects/cilium.ts";
import { CILIUM_VIEWS } from "./dialects/cilium-labels.ts";
import { translateClusterNetworkPolicy } from "./dialects/cluster-network-policy.ts";
import { FROM_OWN_NODE, translateNetworkPolicy } from "./dialects/kubernetes.ts";
import { pods } from "./dialects/selector.ts";
import { type LabelViews, namespaceLabels } from "./facts.ts";
import { DEFAULT_FAILSAFES, type Failsafes, failsafePolicy } from "./failsafe.ts";
import type { Overlay } from "./identity.ts";
import type { LabelMap } from "./label-expr.ts";
import { listChanges, noteListChanges } from "./list-changes.ts";
import { Joined, type List } from "./pieces.ts";
import type { Entity, Policy, Tier } from "./rule.ts";
import { type ServiceBackend, ServiceIndex, type ServiceObjects, type ServiceTable } from "./service-index.ts";
import { sharedPodView } from "./shared-views.ts";
import { createTranslation, type ObjectTable, type RestsOn } from "./translated.ts";

export type { ObjectTable } from "./translated.ts";

/** The tables that hold policy, and those that policies speak of. */
export interface PolicyObjects extends ServiceObjects {
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
  readonly policies: List<Policy>;
  readonly tiers: readonly Tier[];
  /** How the dialects in use see labels: facts made with other views are void. */
  readonly views: LabelViews;
  readonly overlays: readonly Overlay[];
  /** Tables that something in the policies has asked for. */
  readonly wants: ReadonlySet<ServiceTable>;
}

/** Reads the tables again and again; what has not changed is not translated anew. */
export interface RuleReader {
  read(objects: PolicyObjects): PolicyRules;
}

/** `always`: what no policy decides is denied. `never`: there are no policies. */
export type PolicyMode = "default" | "always" | "never";

/** What `always` is: behind all tiers, nothing is left to be decided. Probes of a pod's own node go through. */
const ALWAYS: readonly Policy[] = [
  {
    ref: { dialect: "kubernetes", kind: "Configuration", namespace: "", name: "policy.mode" },
    tier: "last",
    order: 0,
    rank: 0,
    mode: "enforce",
    subject: { of: "pods", is: pods({ kind: "any" }) },
    ingress: { isolates: true, rules: [{ ...FROM_OWN_NODE, path: "always" }] },
    egress: { isolates: true, rules: [] },
  },
];

const NO_LABELS: LabelMap = new Map();
const API_SERVER: ReadonlySet<Entity> = new Set<Entity>(["kube-apiserver"]);

/** A function of several values that remembers its last answer. */
function remember<A extends readonly unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  let last: { readonly args: A; readonly result: R } | undefined;
  return (...args) => {
    if (last?.args.every((a, i) => a === args[i])) return last.result;
    last = { args, result: work(...args) };
    return last.result;
  };
}

/** The same list as before as long as all parts are the same. */
function rememberList<T>(): (...parts: readonly List<T>[]) => List<T> {
  let last: { readonly parts: readonly List<T>[]; readonly list: List<T> } = { parts: [], list: [] };
  return (...parts) => {
    if (last.parts.length === parts.length && parts.every((part, i) => part === last.parts[i])) return last.list;
    const changes = parts.map((part, i) => listChanges(last.parts[i] ?? [], part));
    const list = noteListChanges(last.list, new Joined(parts), {
      added: changes.flatMap((c) => c.added),
      removed: changes.flatMap((c) => c.removed),
    });
    last = { parts, list };
    return list;
  };
}

function overlaysOf(sets: readonly CalicoNetworkSet[], labelsOf: (name: string) => LabelMap): Overlay[] {
  return sets.flatMap((set) => {
    const labels = new Map([["calico", [calicoNetworkSetLabels(set, labelsOf)]]] as const);
    return set.nets.map((prefix) => ({ prefix, entities: new Set(), labels, services: new Set() }) as const);
  });
}

function viewsOf(
  hasCalico: boolean,
  hasCilium: boolean,
  hostEndpoints: ObjectTable<CalicoHostEndpoint>,
  accounts: ReadonlyMap<string, LabelMap>,
): LabelViews {
  const accountLabels = (namespace: string, name: string) => accounts.get(`${namespace}/${name}`) ?? NO_LABELS;
  const calico = hasCalico ? calicoViews([...hostEndpoints], accountLabels) : {};
  const cilium = hasCilium ? CILIUM_VIEWS : {};
  return {
    pod: sharedPodView(
      (pod, namespace) => new Map([...(calico.pod?.(pod, namespace) ?? []), ...(cilium.pod?.(pod, namespace) ?? [])]),
    ),
    node: (node, isLocal) =>
      new Map([...(calico.node?.(node, isLocal) ?? []), ...(cilium.node?.(node, isLocal) ?? [])]),
  };
}

/** The earlier list as long as it has the same elements. */
function steady<T>(): (now: readonly T[]) => readonly T[] {
  let last: readonly T[] = [];
  return (now) => {
    if (now.length !== last.length || now.some((x, i) => x !== last[i])) last = now;
    return last;
  };
}

/** What a translation of Calico's policies needs beside services. */
type SetContext = Omit<CalicoContext, "backends">;

/** What Calico's selectors of sets see: the same object as long as the sets and the labels of their namespaces are. */
function createCalicoContext() {
  const steadyLabels = steady<LabelMap | undefined>();
  const context = remember(
    (own: readonly CalicoNetworkSet[], global: readonly CalicoNetworkSet[], of: readonly (LabelMap | undefined)[]) => {
      const labels = new Map(own.map((set, i) => [set.namespace, of[i]]));
      return {
        networkSets: [...own, ...global],
        namespaceLabels: (name: string) => labels.get(name) ?? namespaceLabels(name, undefined),
      };
    },
  );
  const list = () => remember((rows: Iterable<CalicoNetworkSet>): readonly CalicoNetworkSet[] => [...rows]);
  const [ownList, globalList] = [list(), list()];
  return (o: PolicyObjects): SetContext => {
    const own = ownList(o.networkSets);
    const labels = steadyLabels(own.map((set) => o.namespaces.get(set.namespace)?.labels));
    return context(own, globalList(o.globalNetworkSets), labels);
  };
}

/** Translations of the dialects that speak of services, each new one for a table of its own. */
function translationsWith(index: ServiceIndex) {
  /** Backends as a translation asks for them, which then rests on them. */
  const backends = (restsOn: RestsOn) => (namespace: string, name: string) => {
    const found = index.backends(namespace, name);
    restsOn(() => index.backends(namespace, name) === found);
    return found;
  };
  const revision = () => index.revision;
  const calico = () =>
    createTranslation((p: CalicoPolicy, context: SetContext, restsOn) => {
      if (asksAccounts(p)) index.wanted.add("serviceAccounts");
      return translateCalicoPolicy(p, { ...context, backends: backends(restsOn) });
    }, revision);
  const cilium = () =>
    createTranslation((p: CiliumPolicy, cidrGroups: readonly CiliumCidrGroup[], restsOn) => {
      const services = () => {
        const found = index.services();
        restsOn(() => index.services() === found);
        return found ?? [];
      };
      return translateCiliumPolicy(p, { cidrGroups, services, backends: backends(restsOn) });
    }, revision);
  return { calico, cilium };
}

/**
 * Nothing has been read.
 * @param failsafes ports of nodes that no policy closes, where one speaks of a node
 */
export function createRuleReader(mode: PolicyMode = "default", failsafes: Failsafes = DEFAULT_FAILSAFES): RuleReader {
  const noContext = undefined;
  const kubernetes = createTranslation((p: NetworkPolicy, _: undefined) => [translateNetworkPolicy(p)]);
  const cluster = () =>
    createTranslation((p: ClusterNetworkPolicy, _: undefined) => [translateClusterNetworkPolicy(p)]);
  const [clusterPolicies, admin, baseline] = [cluster(), cluster(), cluster()];
  const index = new ServiceIndex();
  const { calico, cilium } = translationsWith(index);
  const [calicoPolicies, globalCalico, stagedCalico, stagedGlobal] = [calico(), calico(), calico(), calico()];
  const staged = createTranslation((p: StagedKubernetesNetworkPolicy, _: undefined) => translateStagedKubernetes(p));
  const [ciliumPolicies, clusterwide] = [cilium(), cilium()];
  const hostEndpoints = createTranslation((e: CalicoHostEndpoint, _: undefined) => translateHostEndpoint(e));
  const failsafe = [failsafePolicy(failsafes)] as const;
  // Of Calico's policies every global one might select a host endpoint: without one it does not.
  const ofNodes = remember((hasEndpoints: boolean, cilium: List<Policy>) =>
    hasEndpoints || [...cilium].some((p) => p.subject.of === "nodes") ? failsafe : NO_POLICIES,
  );
  const views = remember(viewsOf);
  const calicoContext = createCalicoContext();
  const cidrGroups = remember((groups: Iterable<CiliumCidrGroup>): readonly CiliumCidrGroup[] => [...groups]);
  const setOverlays = remember((context: SetContext) => overlaysOf(context.networkSets, context.namespaceLabels));
  const apiOverlays = remember((of: readonly ServiceBackend[]) =>
    [...new Map(of.map(({ addr }) => [addr.text, addr])).values()].map((addr): Overlay => {
      return { prefix: hostPrefix(addr), entities: API_SERVER, labels: new Map(), services: new Set() };
    }),
  );
  const overlays = remember((...parts: readonly (readonly Overlay[])[]) => parts.flat());
  const tiers = remember((declared: Iterable<CalicoTier>, hasCalico: boolean) => [
    ...[...declared].map(translateCalicoTier),
    ...(hasCalico ? CALICO_TIERS : []),
  ]);
  const all = rememberList<Policy>();

  return {
    read(o) {
      if (mode === "never") return NOTHING;
      const ofCalico = [o.calicoNetworkPolicies, o.globalNetworkPolicies, o.stagedNetworkPolicies];
      const besides = [o.stagedGlobalNetworkPolicies, o.stagedKubernetesNetworkPolicies, o.hostEndpoints];
      const hasCalico = [...ofCalico, ...besides].some((table) => table.size > 0);
      const hasCilium = o.ciliumNetworkPolicies.size + o.ciliumClusterwideNetworkPolicies.size > 0;
      // Sets mean something to Calico's selectors only.
      const hasSets = o.networkSets.size + o.globalNetworkSets.size > 0;
      const ofSets = calicoContext(o);
      const ofGroups = cidrGroups(o.ciliumCidrGroups);
      index.update(o);
      const ofClusterwide = clusterwide(o.ciliumClusterwideNetworkPolicies, ofGroups);
      const policies = all(
        kubernetes(o.networkPolicies, noContext),
        clusterPolicies(o.clusterNetworkPolicies, noContext),
        admin(o.adminNetworkPolicies, noContext),
        baseline(o.baselineAdminNetworkPolicies, noContext),
        calicoPolicies(o.calicoNetworkPolicies, ofSets),
        globalCalico(o.globalNetworkPolicies, ofSets),
        stagedCalico(o.stagedNetworkPolicies, ofSets),
        stagedGlobal(o.stagedGlobalNetworkPolicies, ofSets),
        staged(o.stagedKubernetesNetworkPolicies, noContext),
        ciliumPolicies(o.ciliumNetworkPolicies, ofGroups),
        ofClusterwide,
        hostEndpoints(o.hostEndpoints, noContext),
        ofNodes(o.hostEndpoints.size > 0, ofClusterwide),
        mode === "always" ? ALWAYS : NO_POLICIES,
      );
      // Only Cilium's policies know API servers, and none of them may ask.
      const apiServers =
        hasCilium && index.wanted.has("endpointSlices") ? index.backends("default", "kubernetes") : undefined;
      return {
        policies,
        tiers: tiers(o.calicoTiers, hasCalico),
        views: views(hasCalico, hasCilium, o.hostEndpoints, index.accountLabels()),
        overlays: overlays(
          hasCalico && hasSets ? setOverlays(ofSets) : NO_OVERLAYS,
          apiServers === undefined ? NO_OVERLAYS : apiOverlays(apiServers),
        ),
        wants: index.wanted,
      };
    },
  };
}

const NO_OVERLAYS: readonly Overlay[] = [];
const NO_POLICIES: readonly Policy[] = [];
const NOTHING: PolicyRules = { policies: NO_POLICIES, tiers: [], views: {}, overlays: NO_OVERLAYS, wants: new Set() };

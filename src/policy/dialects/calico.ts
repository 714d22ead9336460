/** Calico's policies → rules. */

import type { CalicoTier, StagedKubernetesNetworkPolicy } from "../../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../../model/policy/calico-policy.ts";
import type { CalicoRule } from "../../model/policy/calico-rule.ts";
import { hostPrefix } from "../../net/prefix.ts";
import { CALICO_NAMESPACE, calicoExpr, OF_NAMESPACE, OF_SERVICE_ACCOUNT } from "../calico-selector.ts";
import { allLabels, type LabelExpr } from "../label-expr.ts";
import { allOf, anyOf, is } from "../peer.ts";
import {
  type Action,
  BUILT_IN_TIERS,
  type Direction,
  type PeerExpr,
  type Policy,
  type PolicySide,
  type Rule,
  type Subject,
  type Tier,
  type TrafficMatch,
} from "../rule.ts";
import { type CalicoContext, calicoLocal, calicoPeer, calicoTraffic } from "./calico-match.ts";
import { FROM_OWN_NODE, translateNetworkPolicy } from "./kubernetes.ts";
import { pods } from "./selector.ts";

/** With the allows of the same order, behind Cilium's denies. */
const RANK = 1;

/** A rule with what it asks of the endpoint that the policy selects. */
interface LocalRule {
  readonly rule: Rule;
  readonly local: PeerExpr;
}

/** Names that Twill's own tiers have are none that Calico's could take over. */
function calicoTierName(name: string): string {
  return name !== "default" && BUILT_IN_TIERS.some((t) => t.name === name) ? `calico ${name}` : name;
}

/** The tier; one without an order stands last of Calico's, before the baseline. */
export function translateCalicoTier(tier: CalicoTier): Tier {
  return {
    name: calicoTierName(tier.name),
    order: tier.order ?? Number.MAX_VALUE,
    end: tier.defaultAction === "Pass" ? "pass" : "deny",
  };
}

/** Tiers that Calico has without an object for them; objects of their names, which agree with them, stand first. */
export const CALICO_TIERS: readonly Tier[] = [
  { name: "kube-admin", order: 1_000, end: "pass" },
  { name: "kube-baseline", order: 10_000_000, end: "pass" },
];

const ACTIONS: Readonly<Record<CalicoRule["action"], Action>> = {
  Allow: "allow",
  Deny: "deny",
  Log: "log",
  Pass: "pass",
};

/** The backends of an egress rule's service, by protocol and port, which are the service's to say. */
function servicePeers(rule: CalicoRule, direction: Direction, context: CalicoContext): [PeerExpr, TrafficMatch][] {
  const entity = direction === "ingress" ? rule.source : rule.destination;
  const traffic = calicoTraffic(rule);
  if (entity.services === undefined) return [[{ kind: "any" }, traffic]];
  const backends = context.backends(entity.services.namespace, entity.services.name);
  // Who is behind it is not known: nobody where that opens, everybody where it closes.
  if (backends === undefined)
    return rule.action === "Deny" || rule.action === "Pass" ? [[{ kind: "any" }, traffic]] : [];
  const hosts = (of: typeof backends) =>
    anyOf(of.map((b) => is({ kind: "cidr", prefix: hostPrefix(b.addr), scope: "any" })));
  if (direction === "ingress") return [[hosts(backends), traffic]];
  const groups = Map.groupBy(backends, (b) => `${b.protocol}/${b.port}`);
  return [...groups.values()].flatMap((group): [PeerExpr, TrafficMatch][] => {
    const { protocol, port } = group[0] ?? {};
    if (protocol === undefined || (rule.protocol ?? protocol) !== protocol) return [];
    const ofProtocol = { ...traffic, protocols: [{ first: protocol, last: protocol }] };
    if (port === undefined) return [[hosts(group), ofProtocol]];
    return [[hosts(group), { ...ofProtocol, ports: [{ kind: "range", range: { first: port, last: port } }] }]];
  });
}

function translateRule(
  rule: CalicoRule,
  path: string,
  direction: Direction,
  namespace: string,
  context: CalicoContext,
): LocalRule[] {
  const [here, there] = direction === "ingress" ? [rule.destination, rule.source] : [rule.source, rule.destination];
  const local = calicoLocal(here, namespace, context);
  const peer = calicoPeer(there, namespace, context);
  const { services } = there;
  const isUnknown = services !== undefined && context.backends(services.namespace, services.name) === undefined;
  const notEnforced = [
    ...(isUnknown ? [`service ${services.namespace}/${services.name}: its EndpointSlices cannot be read`] : []),
    ...(rule.http === undefined ? [] : [`http ${rule.http.join(", ")}`.trim()]),
    ...local.notEnforced,
  ];
  const isOpening = rule.action === "Allow" || rule.action === "Pass";
  return servicePeers(rule, direction, context).map(([service, match]) => {
    const family = match.family ?? local.family;
    const isNever = local.family !== undefined && match.family !== undefined && local.family !== match.family;
    // What cannot be asked is taken for no where yes would open something, and for yes where it would close.
    const isClosed = isNever || (isOpening && !isUnknown && notEnforced.length > 0);
    const traffic: TrafficMatch = family === undefined ? match : { ...match, family };
    return {
      local: rule.action === "Deny" ? local.maybe : local.surely,
      rule: {
        path,
        name: "",
        action: isUnknown && rule.action === "Pass" ? "deny" : ACTIONS[rule.action],
        peer: allOf([peer, service]),
        traffic: isClosed ? [] : [traffic],
        notEnforced,
      },
    };
  });
}

function subjectExpr(policy: CalicoPolicy): LabelExpr {
  const parts: LabelExpr[] = [];
  if (policy.selector !== undefined) parts.push(calicoExpr(policy.selector));
  if (policy.namespace !== "") parts.push({ kind: "in", key: CALICO_NAMESPACE, values: [policy.namespace] });
  if (policy.namespaceSelector !== undefined) parts.push(calicoExpr(policy.namespaceSelector, OF_NAMESPACE));
  if (policy.serviceAccountSelector !== undefined)
    parts.push(calicoExpr(policy.serviceAccountSelector, OF_SERVICE_ACCOUNT));
  return allLabels(parts);
}

const UNTOUCHED: PolicySide = { isolates: false, rules: [] };

/**
 * One policy where no rule narrows the subject; else one for each run of rules that narrow it alike. These compare as
 * equal wherever policies are ordered, so they stay in their order.
 */
function splitByLocal(base: Policy, rules: Readonly<Record<Direction, readonly LocalRule[]>>): Policy[] {
  const isFree = (r: LocalRule) => r.local.kind === "any";
  const lead = (d: Direction) => {
    const end = rules[d].findIndex((r) => !isFree(r));
    return end < 0 ? rules[d].length : end;
  };
  const side = (d: Direction): PolicySide => ({ ...base[d], rules: rules[d].slice(0, lead(d)).map((r) => r.rule) });
  const out: Policy[] = [{ ...base, ingress: side("ingress"), egress: side("egress") }];
  for (const d of ["ingress", "egress"] as const)
    for (const { rule, local } of rules[d].slice(lead(d))) {
      const subject = { ...base.subject, is: allOf([base.subject.is, local]) };
      out.push({ ...base, subject, ingress: UNTOUCHED, egress: UNTOUCHED, [d]: { isolates: false, rules: [rule] } });
    }
  return out;
}

function subjects(policy: CalicoPolicy): Subject[] {
  const expr = subjectExpr(policy);
  const is_ = is({ kind: "labels", domain: "calico", expr });
  const ofNodes: Subject = { of: "nodes", is: is_ };
  if (policy.doNotTrack || policy.preDnat) return [ofNodes];
  const ofPods: Subject = { of: "pods", is: pods(expr.kind === "all" ? { kind: "any" } : is_) };
  return policy.namespace === "" ? [ofPods, ofNodes] : [ofPods];
}

/** What the policy asks of host endpoints that is not enforced. */
function hostExtras(policy: CalicoPolicy): string[] {
  return [
    ...(policy.doNotTrack ? ["doNotTrack: before connection tracking"] : []),
    ...(policy.preDnat ? ["preDNAT: before translation of destinations"] : []),
    ...(policy.applyOnForward ? ["applyOnForward: for traffic that the node forwards"] : []),
  ];
}

/**
 * The policy as rules: one for pods, and for a policy of the cluster another for host endpoints.
 *
 * `doNotTrack` and `preDNAT` are judged before all else; as that is not done yet, their denies stand before all tiers
 * and their other rules do nothing, so nothing is open that would not be.
 */
export function translateCalicoPolicy(policy: CalicoPolicy, context: CalicoContext): readonly Policy[] {
  if (policy.stagedAction !== undefined && policy.stagedAction !== "Set") return [];
  const isEarly = policy.doNotTrack || policy.preDnat;
  return subjects(policy).flatMap((subject) => {
    const extras = subject.of === "nodes" ? hostExtras(policy) : [];
    const close = ({ rule, local }: LocalRule): LocalRule => ({
      local,
      rule: {
        ...rule,
        notEnforced: [...rule.notEnforced, ...extras],
        traffic: isEarly && rule.action !== "deny" && rule.action !== "log" ? [] : rule.traffic,
      },
    });
    // Calico polices no traffic of a host to its own pods: probes come from there.
    const own: LocalRule = { local: { kind: "any" }, rule: FROM_OWN_NODE };
    const rules = (d: Direction): LocalRule[] => {
      if (!policy.types[d]) return [];
      const said = policy[d].flatMap((r, i) => translateRule(r, `spec.${d}[${i}]`, d, policy.namespace, context));
      return [...(d === "ingress" && subject.of === "pods" ? [own] : []), ...said.map(close)];
    };
    const base: Policy = {
      ref: { dialect: "calico", kind: policy.kind, namespace: policy.namespace, name: policy.name },
      tier: isEarly ? "admin" : calicoTierName(policy.tier),
      order: isEarly ? Number.NEGATIVE_INFINITY : (policy.order ?? Number.POSITIVE_INFINITY),
      rank: RANK,
      mode: policy.stagedAction === undefined && !policy.isAudited ? "enforce" : "stage",
      subject,
      ingress: { isolates: policy.types.ingress && !isEarly, rules: [] },
      egress: { isolates: policy.types.egress && !isEarly, rules: [] },
    };
    return splitByLocal(base, { ingress: rules("ingress"), egress: rules("egress") });
  });
}

/** The policy that Kubernetes would have, not in force. */
export function translateStagedKubernetes(staged: StagedKubernetesNetworkPolicy): readonly Policy[] {
  if (staged.stagedAction !== "Set") return [];
  const policy = translateNetworkPolicy(staged.policy);
  return [
    {
      ...policy,
      ref: { ...policy.ref, dialect: "calico", kind: "StagedKubernetesNetworkPolicy" },
      mode: "stage",
    },
  ];
}

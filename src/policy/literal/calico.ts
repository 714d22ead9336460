/**
 * Calico's policies as its documentation words them, one policy and one end of a flow at a time, and slow. It shares no
 * code with what translates and compiles policies: a test holds one against the other.
 */

import type { Pod } from "../../model/pod.ts";
import type { CalicoHostEndpoint, CalicoNetworkSet } from "../../model/policy/calico-objects.ts";
import type { CalicoPolicy } from "../../model/policy/calico-policy.ts";
import type { CalicoPort } from "../../model/policy/calico-read.ts";
import type { CalicoEntity, CalicoIcmp, CalicoRule } from "../../model/policy/calico-rule.ts";
import type { CalicoSelector } from "../../model/policy/calico-selector.ts";
import type { Addr } from "../../net/addr.ts";
import { type Flow, type LiteralCluster, labelsOfNamespace, podAt, protocolNumber } from "./flow.ts";
import { inBlock, nodeHas } from "./kubernetes.ts";

/** What Calico's policies speak about beside the cluster's own objects. */
export interface LiteralCalico {
  readonly hostEndpoints?: readonly CalicoHostEndpoint[];
  readonly networkSets: readonly CalicoNetworkSet[];
  serviceAccountLabels(namespace: string, name: string): ReadonlyMap<string, string>;
  backends(
    namespace: string,
    name: string,
  ): readonly { readonly addr: Addr; readonly protocol: number; readonly port: number }[];
}

/** A thing that selectors select: a workload or a network set. */
interface Thing {
  readonly labels: ReadonlyMap<string, string>;
  /** undefined: it is in none. */
  readonly namespace: string | undefined;
  readonly namespaceLabels: ReadonlyMap<string, string>;
  readonly serviceAccount: string | undefined;
  readonly serviceAccountLabels: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

function workload(cluster: LiteralCluster, calico: LiteralCalico, pod: Pod): Thing {
  const labels = new Map([...pod.labels].filter(([k]) => !/^pc(ns|sa)\./.test(k)));
  // "Calico automatically adds" these.
  labels.set("projectcalico.org/namespace", pod.namespace);
  labels.set("projectcalico.org/orchestrator", "k8s");
  labels.set("projectcalico.org/serviceaccount", pod.serviceAccount);
  return {
    labels,
    namespace: pod.namespace,
    namespaceLabels: new Map([...labelsOfNamespace(cluster, pod.namespace), ["projectcalico.org/name", pod.namespace]]),
    serviceAccount: pod.serviceAccount,
    serviceAccountLabels: new Map([
      ...calico.serviceAccountLabels(pod.namespace, pod.serviceAccount),
      ["projectcalico.org/name", pod.serviceAccount],
    ]),
  };
}

function networkSet(cluster: LiteralCluster, set: CalicoNetworkSet): Thing {
  const isGlobal = set.namespace === "";
  const labels = new Map(set.labels);
  if (!isGlobal) labels.set("projectcalico.org/namespace", set.namespace);
  return {
    labels,
    namespace: isGlobal ? undefined : set.namespace,
    namespaceLabels: isGlobal
      ? NONE
      : new Map([...labelsOfNamespace(cluster, set.namespace), ["projectcalico.org/name", set.namespace]]),
    serviceAccount: undefined,
    serviceAccountLabels: NONE,
  };
}

/** A node's own: it is in no namespace. */
function hostEndpoint({ labels }: CalicoHostEndpoint): Thing {
  const nothing = {
    namespace: undefined,
    namespaceLabels: NONE,
    serviceAccount: undefined,
    serviceAccountLabels: NONE,
  };
  return { labels, ...nothing };
}

/** Everything that has the address: a set has all of its networks, a host endpoint those of its node. */
function thingsAt(cluster: LiteralCluster, calico: LiteralCalico, a: Addr): Thing[] {
  const pod = podAt(cluster, a);
  const sets = calico.networkSets.filter((s) => s.nets.some((n) => inBlock(n, a)));
  const nodes = pod === undefined ? cluster.nodes.filter((n) => nodeHas(n, a)) : [];
  const hosts = (calico.hostEndpoints ?? []).filter((e) => nodes.some((n) => n.name === e.node));
  return [
    ...(pod === undefined ? [] : [workload(cluster, calico, pod)]),
    ...hosts.map(hostEndpoint),
    ...sets.map((s) => networkSet(cluster, s)),
  ];
}

/** Whether labels satisfy a selector; `all` and `global` are the caller's to say. */
function satisfies(s: CalicoSelector, labels: ReadonlyMap<string, string>, all: boolean, global: boolean): boolean {
  switch (s.op) {
    case "all":
      return all;
    case "global":
      return global;
    case "has":
      return labels.has(s.key);
    case "!":
      return !satisfies(s.of, labels, all, global);
    case "&&":
      return s.of.every((e) => satisfies(e, labels, all, global));
    case "||":
      return s.of.some((e) => satisfies(e, labels, all, global));
    default:
      return compares(s, labels.get(s.key));
  }
}

/** One comparison with the value of a label, undefined when it is absent. */
function compares(
  s: Extract<CalicoSelector, { value: string } | { values: unknown }>,
  value: string | undefined,
): boolean {
  switch (s.op) {
    // "Negative comparisons match when the label is absent."
    case "!=":
      return value === undefined || value !== s.value;
    case "not in":
      return value === undefined || !s.values.includes(value);
    case "==":
      return value === s.value;
    case "in":
      return value !== undefined && s.values.includes(value);
    case "contains":
      return value?.includes(s.value) === true;
    case "starts with":
      return value?.startsWith(s.value) === true;
    case "ends with":
      return value?.endsWith(s.value) === true;
  }
}

/** A selector of things: they carry their namespace's and service account's labels behind `pcns.` and `pcsa.`. */
function plain(s: CalicoSelector, t: Thing): boolean {
  const labels = new Map(t.labels);
  for (const [k, v] of t.namespaceLabels) labels.set(`pcns.${k}`, v);
  for (const [k, v] of t.serviceAccountLabels) labels.set(`pcsa.${k}`, v);
  return satisfies(s, labels, true, true);
}

/** Selector, namespaceSelector and serviceAccounts are asked of one and the same thing. */
function isSelected(entity: CalicoEntity, thing: Thing, policyNamespace: string): boolean {
  const { selector, namespaceSelector, serviceAccounts } = entity;
  if (selector !== undefined && !plain(selector, thing)) return false;
  if (serviceAccounts !== undefined) {
    const { names, selector: accounts } = serviceAccounts;
    if (names.length > 0 && (thing.serviceAccount === undefined || !names.includes(thing.serviceAccount))) return false;
    if (accounts !== undefined && !satisfies(accounts, thing.serviceAccountLabels, true, true)) return false;
  }
  const isNamespaced = thing.namespace !== undefined;
  if (namespaceSelector !== undefined)
    return satisfies(namespaceSelector, thing.namespaceLabels, isNamespaced, !isNamespaced);
  // "For NetworkPolicy, an empty namespaceSelector implies … endpoints in the same namespace".
  return policyNamespace === "" || thing.namespace === policyNamespace;
}

function entityMatches(
  cluster: LiteralCluster,
  calico: LiteralCalico,
  entity: CalicoEntity,
  a: Addr,
  namespace: string,
): boolean {
  const things = thingsAt(cluster, calico, a);
  const { selector, notSelector, namespaceSelector, serviceAccounts } = entity;
  const asksWho =
    selector !== undefined ||
    namespaceSelector !== undefined ||
    serviceAccounts !== undefined ||
    // In a namespace even notSelector alone keeps the peer within it.
    (notSelector !== undefined && namespace !== "");
  if (asksWho && !things.some((t) => isSelected(entity, t, namespace))) return false;
  // "notSelector … selects the complement": everything else that exists, not only endpoints.
  if (notSelector !== undefined && things.some((t) => plain(notSelector, t))) return false;
  if (entity.nets.length > 0 && !entity.nets.some((n) => inBlock(n, a))) return false;
  if (entity.notNets.some((n) => inBlock(n, a))) return false;
  const { services } = entity;
  return (
    services === undefined || calico.backends(services.namespace, services.name).some((b) => b.addr.text === a.text)
  );
}

function portIs(port: CalicoPort, flow: Flow, destination: Pod | undefined): boolean {
  if (!("name" in port)) return port.first <= flow.port && flow.port <= port.last;
  return (destination?.ports ?? []).some(
    (p) => p.name === port.name && protocolNumber(p.protocol) === flow.protocol && p.port === flow.port,
  );
}

function icmpIs(icmp: CalicoIcmp, protocol: number | undefined, flow: Flow): boolean {
  const family = protocol === 58 ? 6 : 4;
  if (flow.from.family !== family || flow.protocol !== protocol) return false;
  const type = Math.floor(flow.port / 256);
  return icmp.type === type && (icmp.code === undefined || icmp.code === flow.port % 256);
}

function trafficMatches(cluster: LiteralCluster, rule: CalicoRule, flow: Flow): boolean {
  const destination = podAt(cluster, flow.to);
  if (rule.ipVersion !== undefined && rule.ipVersion !== flow.from.family) return false;
  if (rule.protocol !== undefined && rule.protocol !== flow.protocol) return false;
  if (rule.notProtocol !== undefined && rule.notProtocol === flow.protocol) return false;
  const { ports, notPorts } = rule.destination;
  if (ports !== undefined && !ports.some((p) => portIs(p, flow, destination))) return false;
  if (notPorts?.some((p) => portIs(p, flow, destination))) return false;
  if (rule.icmp !== undefined && !icmpIs(rule.icmp, rule.protocol, flow)) return false;
  return !(rule.notIcmp !== undefined && icmpIs(rule.notIcmp, rule.protocol, flow));
}

/** Whether a rule matches; `closed` where it asks for what a flow does not tell and must not open anything. */
function ruleMatches(
  cluster: LiteralCluster,
  calico: LiteralCalico,
  rule: CalicoRule,
  flow: Flow,
  direction: "ingress" | "egress",
  namespace: string,
): "yes" | "no" | "closed" {
  if (!trafficMatches(cluster, rule, flow)) return "no";
  if (!entityMatches(cluster, calico, rule.source, flow.from, namespace)) return "no";
  if (!entityMatches(cluster, calico, rule.destination, flow.to, namespace)) return "no";
  const { services } = rule.destination;
  // "services … match … the Service's endpoints' IPs and ports", in egress rules.
  if (direction === "egress" && services !== undefined) {
    const backends = calico.backends(services.namespace, services.name);
    const isOne = backends.some(
      (b) => b.addr.text === flow.to.text && b.protocol === flow.protocol && b.port === flow.port,
    );
    if (!isOne) return "no";
  }
  const { ports, notPorts } = rule.source;
  return rule.http !== undefined || ports !== undefined || notPorts !== undefined ? "closed" : "yes";
}

/** Whether the policy is about the pod. */
export function calicoSelects(
  cluster: LiteralCluster,
  calico: LiteralCalico,
  policy: CalicoPolicy,
  pod: Pod,
  direction: "ingress" | "egress",
): boolean {
  // Those two are for host endpoints only.
  if (policy.doNotTrack || policy.preDnat || !policy.types[direction]) return false;
  if (policy.namespace !== "" && policy.namespace !== pod.namespace) return false;
  const thing = workload(cluster, calico, pod);
  if (policy.selector !== undefined && !plain(policy.selector, thing)) return false;
  const { namespaceSelector, serviceAccountSelector } = policy;
  if (namespaceSelector !== undefined && !satisfies(namespaceSelector, thing.namespaceLabels, true, false))
    return false;
  return (
    serviceAccountSelector === undefined || satisfies(serviceAccountSelector, thing.serviceAccountLabels, true, true)
  );
}

/** Whether the policy is about a host endpoint. */
export function calicoSelectsHost(
  policy: CalicoPolicy,
  endpoint: CalicoHostEndpoint,
  direction: "ingress" | "egress",
): boolean {
  const thing = hostEndpoint(endpoint);
  if (policy.namespace !== "" || policy.doNotTrack || policy.preDnat || !policy.types[direction]) return false;
  if (policy.selector !== undefined && !plain(policy.selector, thing)) return false;
  const { namespaceSelector, serviceAccountSelector } = policy;
  // "all()" of namespaces or accounts selects what has one, which a host endpoint never does.
  if (namespaceSelector !== undefined && !satisfies(namespaceSelector, NONE, false, true)) return false;
  return serviceAccountSelector === undefined || satisfies(serviceAccountSelector, NONE, false, true);
}

/** What a policy that selects the pod says: its first rule that matches and does more than log. */
export function calicoSays(
  cluster: LiteralCluster,
  calico: LiteralCalico,
  policy: CalicoPolicy,
  flow: Flow,
  direction: "ingress" | "egress",
): "allow" | "deny" | "pass" | undefined {
  for (const rule of policy[direction]) {
    const matches = ruleMatches(cluster, calico, rule, flow, direction, policy.namespace);
    if (matches === "no" || rule.action === "Log") continue;
    if (rule.action === "Deny") return "deny";
    if (matches === "yes") return rule.action === "Allow" ? "allow" : "pass";
    // Source ports are unknown: an Allow opens nothing, a Pass denies.
    if (rule.action === "Pass") return "deny";
  }
  return undefined;
}

/** What Calico's rules match: peers, the endpoint's own side, traffic. */

import type { CalicoNetworkSet } from "../../model/policy/calico-objects.ts";
import type { CalicoPort } from "../../model/policy/calico-read.ts";
import type { CalicoEntity, CalicoIcmp, CalicoRule } from "../../model/policy/calico-rule.ts";
import type { Family } from "../../net/addr.ts";
import type { Prefix } from "../../net/prefix.ts";
import { CALICO_NAMESPACE, calicoExpr, OF_NAMESPACE, OF_PEER_ACCOUNT, SERVICE_ACCOUNT } from "../calico-selector.ts";
import { allLabels, type LabelExpr, type LabelMap, matchesLabels } from "../label-expr.ts";
import { allOf, anyOf, is } from "../peer.ts";
import type { IcmpMatch, PeerExpr, PortExpr, TrafficMatch } from "../rule.ts";
import type { ServiceBackend } from "../service-index.ts";
import { calicoNetworkSetLabels } from "./calico-labels.ts";

/** What the meaning of a Calico policy depends on beside the policy. */
export interface CalicoContext {
  readonly networkSets: readonly CalicoNetworkSet[];
  /** Labels of a namespace. */
  namespaceLabels(name: string): LabelMap;
  /** From the EndpointSlices of a service; empty when there are none, undefined: they are not known. */
  backends(namespace: string, name: string): readonly ServiceBackend[] | undefined;
}

/** Things whose labels satisfy the expression, and the networks of sets that do. */
function labelled(expr: LabelExpr, context: CalicoContext): PeerExpr {
  return anyOf([is({ kind: "labels", domain: "calico", expr }), ...setNets(expr, context).map(cidr)]);
}

function setNets(expr: LabelExpr, context: CalicoContext): Prefix[] {
  const labelsOf = (s: CalicoNetworkSet) => calicoNetworkSetLabels(s, (n) => context.namespaceLabels(n));
  return context.networkSets.filter((s) => matchesLabels(expr, labelsOf(s))).flatMap((s) => s.nets);
}

function cidr(prefix: Prefix): PeerExpr {
  return is({ kind: "cidr", prefix, scope: "any" });
}

function not(of: PeerExpr): PeerExpr {
  return { kind: "not", of };
}

/**
 * Selector, namespace selector and service accounts as one question to one thing; undefined when none is asked. In a
 * policy of a namespace each of them, `notSelector` too, keeps the peers within it unless a namespace selector is there.
 */
function combined(entity: CalicoEntity, namespace: string): LabelExpr | undefined {
  const { selector, notSelector, namespaceSelector, serviceAccounts } = entity;
  const parts: LabelExpr[] = [];
  if (selector !== undefined) parts.push(calicoExpr(selector));
  if (serviceAccounts !== undefined && serviceAccounts.names.length > 0)
    parts.push({ kind: "in", key: SERVICE_ACCOUNT, values: serviceAccounts.names });
  if (serviceAccounts?.selector !== undefined) parts.push(calicoExpr(serviceAccounts.selector, OF_PEER_ACCOUNT));
  if (namespaceSelector !== undefined) return allLabels([...parts, calicoExpr(namespaceSelector, OF_NAMESPACE)]);
  if (parts.length === 0 && notSelector === undefined) return undefined;
  const here: readonly LabelExpr[] =
    namespace === "" ? [] : [{ kind: "in", key: CALICO_NAMESPACE, values: [namespace] }];
  return parts.length + here.length === 0 ? undefined : allLabels([...parts, ...here]);
}

/** Who the other side is. Services are not in it: see `servicePeers`. */
export function calicoPeer(entity: CalicoEntity, namespace: string, context: CalicoContext): PeerExpr {
  const parts: PeerExpr[] = [];
  const expr = combined(entity, namespace);
  if (expr !== undefined) parts.push(labelled(expr, context));
  if (entity.notSelector !== undefined) parts.push(not(labelled(calicoExpr(entity.notSelector), context)));
  if (entity.nets.length > 0) parts.push(anyOf(entity.nets.map(cidr)));
  if (entity.notNets.length > 0) parts.push(not(anyOf(entity.notNets.map(cidr))));
  return allOf(parts);
}

/** What a rule asks of the selected endpoint's own side. */
export interface LocalCondition {
  /** Of its labels: surely holds, for rules that open. */
  readonly surely: PeerExpr;
  /** May hold, for rules that close. Differs where a network set could have the endpoint's address. */
  readonly maybe: PeerExpr;
  /** undefined: of both. */
  readonly family: Family | undefined;
  /** What cannot be asked: endpoints are told apart by labels, not by address. */
  readonly notEnforced: readonly string[];
}

/** The condition of the endpoint's own side, where Calico lets rules narrow the policy's selector. */
export function calicoLocal(entity: CalicoEntity, namespace: string, context: CalicoContext): LocalCondition {
  const surely: PeerExpr[] = [];
  const maybe: PeerExpr[] = [];
  const expr = combined(entity, namespace);
  if (expr !== undefined) {
    const labels = is({ kind: "labels", domain: "calico", expr });
    surely.push(labels);
    maybe.push(setNets(expr, context).length > 0 ? { kind: "any" } : labels);
  }
  if (entity.notSelector !== undefined) {
    const negated = calicoExpr(entity.notSelector);
    const labels = not(is({ kind: "labels", domain: "calico", expr: negated }));
    surely.push(setNets(negated, context).length > 0 ? { kind: "none" } : labels);
    maybe.push(labels);
  }
  const families = new Set(entity.nets.map((n) => n.family));
  const isWhole = [...families].every((f) => entity.nets.some((n) => n.family === f && n.length === 0));
  const [family] = families;
  return {
    surely: allOf(surely),
    maybe: allOf(maybe),
    family: isWhole && families.size === 1 ? family : undefined,
    notEnforced: !isWhole || entity.notNets.length > 0 ? ["nets of the policy's own endpoints"] : [],
  };
}

function ports(list: readonly CalicoPort[]): PortExpr[] {
  return list.map((p) => ("name" in p ? { kind: "named", name: p.name } : { kind: "range", range: p }));
}

function icmp(of: CalicoIcmp, protocol: number | undefined): IcmpMatch[] {
  return of.type === undefined ? [] : [{ family: protocol === 58 ? 6 : 4, type: of.type, code: of.code }];
}

/** What the traffic is. */
export function calicoTraffic(rule: CalicoRule): TrafficMatch {
  const { source, destination, protocol, notProtocol } = rule;
  const one = (n: number) => [{ first: n, last: n }];
  return {
    ...(rule.ipVersion !== undefined && { family: rule.ipVersion }),
    ...(protocol !== undefined && { protocols: one(protocol) }),
    ...(notProtocol !== undefined && { notProtocols: one(notProtocol) }),
    ...(destination.ports !== undefined && { ports: ports(destination.ports) }),
    ...(destination.notPorts !== undefined && { notPorts: ports(destination.notPorts) }),
    ...(source.ports !== undefined && { sourcePorts: ports(source.ports) }),
    ...(source.notPorts !== undefined && { notSourcePorts: ports(source.notPorts) }),
    ...(rule.icmp !== undefined && { icmp: icmp(rule.icmp, protocol) }),
    ...(rule.notIcmp !== undefined && { notIcmp: icmp(rule.notIcmp, protocol) }),
  };
}

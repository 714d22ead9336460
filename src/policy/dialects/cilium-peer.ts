/** The peers of Cilium's rules as expressions. */

import type { CiliumEntity, CiliumPeer } from "../../model/policy/cilium-peer.ts";
import type { CiliumCidrGroup } from "../../model/policy/cilium-policy.ts";
import { hostPrefix, type Prefix, prefix } from "../../net/prefix.ts";
import { type LabelMap, matchesLabels } from "../label-expr.ts";
import { allOf, anyOf, is } from "../peer.ts";
import type { Entity, PeerExpr } from "../rule.ts";
import type { ServiceBackend } from "../service-index.ts";
import { ciliumExpr, plainExpr, scopedSelector } from "./cilium-labels.ts";

/** What the meaning of a Cilium policy depends on beside the policy. */
export interface CiliumContext {
  readonly cidrGroups: readonly CiliumCidrGroup[];
  /** All of the cluster. */
  services(): readonly CiliumService[];
  /** From the EndpointSlices of a service; empty when there are none, undefined: they are not known. */
  backends(namespace: string, name: string): readonly ServiceBackend[] | undefined;
}

/** A service as its selectors see it. */
export interface CiliumService {
  readonly namespace: string;
  readonly name: string;
  readonly labels: LabelMap;
}

const entity = (e: Entity): PeerExpr => is({ kind: "entity", entity: e });
const WORLD = entity("world");
const NODES = anyOf([entity("host"), entity("remote-node")]);
const CLUSTER = anyOf([entity("pod"), NODES, entity("unmanaged"), entity("kube-apiserver")]);
const family = (text: string): PeerExpr => is({ kind: "cidr", prefix: prefix(text), scope: "outside" });

/** Nothing is an ingress proxy, a health endpoint or a pod that is being made here. */
const ENTITIES: Readonly<Record<CiliumEntity, PeerExpr>> = {
  all: { kind: "any" },
  world: WORLD,
  "world-ipv4": allOf([WORLD, family("0.0.0.0/0")]),
  "world-ipv6": allOf([WORLD, family("::/0")]),
  cluster: CLUSTER,
  "cluster-mesh": CLUSTER,
  host: entity("host"),
  "remote-node": entity("remote-node"),
  "kube-apiserver": entity("kube-apiserver"),
  ingress: { kind: "none" },
  health: { kind: "none" },
  init: { kind: "none" },
  unmanaged: entity("unmanaged"),
  none: { kind: "none" },
};

/** Addresses outside the cluster only: CIDRs never mean pods and nodes. */
function outside(cidr: Prefix, except: readonly Prefix[]): PeerExpr {
  const one = (p: Prefix): PeerExpr => is({ kind: "cidr", prefix: p, scope: "outside" });
  if (except.length === 0) return one(cidr);
  return allOf([one(cidr), { kind: "not", of: anyOf(except.map(one)) }]);
}

function endpoints(peer: CiliumPeer & { kind: "endpoints" }, namespace: string): PeerExpr {
  const expr = ciliumExpr(scopedSelector(peer.selector, namespace));
  // What has no object has the labels of its entity: a selector may name them.
  const has = (...keys: string[]) => matchesLabels(expr, new Map(keys.map((k) => [`reserved:${k}`, ""])));
  const none: PeerExpr = { kind: "none" };
  // An API server bears the labels of where it is as well: outside, this node, another one.
  const apiServers = (["world", "host", "remote-node"] as const).map((place) =>
    has("kube-apiserver", place) ? allOf([entity("kube-apiserver"), entity(place)]) : none,
  );
  return anyOf([is({ kind: "labels", domain: "cilium", expr }), has("world") ? WORLD : none, ...apiServers]);
}

/** Services that a peer names. */
function servicesOf(peer: CiliumPeer, context: CiliumContext): readonly { namespace: string; name: string }[] {
  if (peer.kind === "service") return [peer];
  if (peer.kind !== "service-selector") return [];
  const expr = plainExpr(peer.selector);
  return context
    .services()
    .filter((s) => (peer.namespace === "" || s.namespace === peer.namespace) && matchesLabels(expr, s.labels));
}

const asksApiServer = (peer: CiliumPeer) =>
  (peer.kind === "entity" && ["kube-apiserver", "cluster", "cluster-mesh"].includes(peer.entity)) ||
  (peer.kind === "endpoints" && peer.selector.some((r) => r.source !== "k8s" && r.key === "kube-apiserver"));

/** What is not known of a peer, in words. Asks for the backends of all services that it is about. */
export function unknownOf(peer: CiliumPeer, context: CiliumContext): readonly string[] {
  const asked = asksApiServer(peer) ? [{ namespace: "default", name: "kubernetes" }] : servicesOf(peer, context);
  return asked
    .filter((s) => context.backends(s.namespace, s.name) === undefined)
    .map((s) => `service ${s.namespace}/${s.name}: its EndpointSlices cannot be read`);
}

function backendsOf(services: readonly { namespace: string; name: string }[], context: CiliumContext): PeerExpr {
  const backends = services.flatMap((s) => context.backends(s.namespace, s.name) ?? []);
  const texts = new Map(backends.map((b) => [b.addr.text, b.addr]));
  return anyOf([...texts.values()].map((a) => is({ kind: "cidr", prefix: hostPrefix(a), scope: "any" })));
}

/** Who a peer is. What is not enforced yet is nobody. */
export function ciliumPeer(peer: CiliumPeer, namespace: string, context: CiliumContext): PeerExpr {
  switch (peer.kind) {
    case "endpoints":
      return endpoints(peer, namespace);
    case "entity":
      return ENTITIES[peer.entity];
    case "cidr":
      return outside(peer.cidr, peer.except);
    case "group-ref":
    case "group-selector": {
      const expr = peer.kind === "group-selector" ? plainExpr(peer.selector) : undefined;
      const groups = context.cidrGroups.filter((g) =>
        expr === undefined ? peer.kind === "group-ref" && g.name === peer.name : matchesLabels(expr, g.labels),
      );
      return anyOf(groups.flatMap((g) => g.cidrs.map((c) => outside(c, peer.except))));
    }
    case "nodes":
      return allOf([NODES, is({ kind: "labels", domain: "node", expr: plainExpr(peer.selector) })]);
    case "service":
    case "service-selector":
      return backendsOf(servicesOf(peer, context), context);
    case "later":
      return { kind: "none" };
  }
}

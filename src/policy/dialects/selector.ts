/** Kubernetes' label selectors as expressions, and the peers that are made of them. */

import type { LabelSelector, SelectorRequirement } from "../../model/policy/label-selector.ts";
import type { Prefix } from "../../net/prefix.ts";
import { allLabels, type LabelExpr } from "../label-expr.ts";
import { allOf, anyOf, is } from "../peer.ts";
import type { LabelDomain, PeerExpr } from "../rule.ts";

function requirement({ key, operator, values }: SelectorRequirement): LabelExpr {
  switch (operator) {
    case "In":
      return { kind: "in", key, values };
    case "NotIn":
      return { kind: "not", of: { kind: "in", key, values } };
    case "Exists":
      return { kind: "has", key };
    case "DoesNotExist":
      return { kind: "not", of: { kind: "has", key } };
  }
}

/** What a selector means. */
function selectorExpr(selector: LabelSelector): LabelExpr {
  const labels = [...selector.matchLabels].map(([key, value]): LabelExpr => ({ kind: "in", key, values: [value] }));
  return allLabels([...labels, ...selector.matchExpressions.map(requirement)]);
}

const POD: PeerExpr = is({ kind: "entity", entity: "pod" });

/** Things of a domain that the selector selects; `any` where it selects all of them. */
export function selected(domain: LabelDomain, selector: LabelSelector | undefined): PeerExpr {
  const expr = selector === undefined ? ({ kind: "all" } as const) : selectorExpr(selector);
  return expr.kind === "all" ? { kind: "any" } : is({ kind: "labels", domain, expr });
}

/** Pods of the namespace of that name. */
export function inNamespace(name: string): PeerExpr {
  return is({
    kind: "labels",
    domain: "namespace",
    expr: { kind: "in", key: "kubernetes.io/metadata.name", values: [name] },
  });
}

/** Pods with a network of their own for which all the conditions hold. */
export function pods(...conditions: readonly PeerExpr[]): PeerExpr {
  return allOf([POD, ...conditions]);
}

/** Addresses inside the prefix and outside the exceptions, whatever they are. */
export function block(prefix: Prefix, except: readonly Prefix[] = []): PeerExpr {
  const cidr = (p: Prefix): PeerExpr => is({ kind: "cidr", prefix: p, scope: "any" });
  if (except.length === 0) return cidr(prefix);
  return allOf([cidr(prefix), { kind: "not", of: anyOf(except.map(cidr)) }]);
}

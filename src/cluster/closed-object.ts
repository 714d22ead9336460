/**
 * What stands for an object that is refused and of which no earlier version is known: of a policy of a namespace the pods that it may
 * select, closed; of a set of networks those that can be read. See docs/decisions/0053-what-a-refused-policy-does.md.
 */

import type { Interner } from "../model/intern.ts";
import type { ClusterTable } from "./source.ts";
import type { AnyRow, TableKind } from "./tables.ts";

type Json = Readonly<Record<string, unknown>>;

const BOTH = ["Ingress", "Egress"];

function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Whether a key somewhere in it could have denied something. */
function hasDenyKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasDenyKey);
  return Object.entries(asObject(value)).some(
    ([key, v]) => (/deny/i.test(key) && key !== "enableDefaultDeny") || hasDenyKey(v),
  );
}

/** Whether a rule of Calico's does anything but allow. */
function hasOtherAction(spec: Json): boolean {
  const rules = [spec["ingress"], spec["egress"]].flatMap((list) => (Array.isArray(list) ? list : []));
  return rules.some((rule) => !["Allow", "Log"].includes(String(asObject(rule)["action"])));
}

function ofKubernetes(spec: Json): Json[] {
  const { podSelector, policyTypes } = spec;
  const asWritten = Array.isArray(policyTypes) && policyTypes.length > 0 ? [{ podSelector, policyTypes }] : [];
  return [...asWritten, { podSelector, policyTypes: BOTH }, { podSelector: {}, policyTypes: BOTH }];
}

function ofCalico(spec: Json): Json[] {
  const { tier, order, selector, serviceAccountSelector, types } = spec;
  const deny = hasOtherAction(spec) ? [{ action: "Deny" }] : [];
  const rules = { ingress: deny, egress: deny };
  const asWritten =
    Array.isArray(types) && types.length > 0 ? [{ tier, order, selector, serviceAccountSelector, types }] : [];
  return [
    ...asWritten.map((s) => ({ ...s, ...rules })),
    { tier, order, selector, serviceAccountSelector, types: BOTH, ...rules },
    { selector: "all()", order: 0, types: BOTH, ...rules },
  ];
}

function ofCilium(spec: Json, root: Json): Json[] {
  const denies = hasDenyKey(root)
    ? { ingressDeny: [{ fromEntities: ["all"] }], egressDeny: [{ toEntities: ["all"] }] }
    : {};
  const closed = { ...denies, enableDefaultDeny: { ingress: true, egress: true } };
  const { endpointSelector } = spec;
  return [
    ...(root["specs"] === undefined ? [{ endpointSelector, ...closed }] : []),
    { endpointSelector: {}, ...closed },
  ];
}

/** Specifications that close what a refused one may select, the most exact first. Kinds that enforce nothing have none. */
const CLOSED: Partial<Readonly<Record<ClusterTable, (spec: Json, root: Json) => Json[]>>> = {
  networkPolicies: ofKubernetes,
  calicoNetworkPolicies: ofCalico,
  ciliumNetworkPolicies: ofCilium,
};

/** Where sets of networks have them. Without any of them a rule that denies what is in the set would deny nothing. */
const NETWORKS: Partial<Readonly<Record<ClusterTable, string>>> = {
  networkSets: "nets",
  globalNetworkSets: "nets",
  ciliumCidrGroups: "externalCIDRs",
};

/** The set with the networks and labels that can be read. */
function readableSet(kind: TableKind, field: string, root: Json, place: Json, interner: Interner): AnyRow | undefined {
  const parse = (networks: readonly unknown[], labels: Json) =>
    kind.parse({ metadata: { ...place, labels }, spec: { [field]: networks } }, interner);
  const networks = asObject(root["spec"])[field];
  const labels = Object.entries(asObject(asObject(root["metadata"])["labels"])).filter(
    ([, v]) => typeof v === "string",
  );
  const readable = (Array.isArray(networks) ? networks : []).filter((n) => parse([n], {}).ok);
  const row = parse(readable, Object.fromEntries(labels));
  return row.ok ? row.value : undefined;
}

/** The row that stands for it; undefined: the kind has none, or the object has no name. */
export function closedRow(kind: TableKind, value: unknown, interner: Interner): AnyRow | undefined {
  const make = CLOSED[kind.table];
  const networks = NETWORKS[kind.table];
  const root = asObject(value);
  const { name, namespace, annotations } = asObject(root["metadata"]);
  if (typeof name !== "string" || name === "") return undefined;
  const place = typeof namespace === "string" ? { name, namespace } : { name };
  if (networks !== undefined) return readableSet(kind, networks, root, place, interner);
  if (make === undefined) return undefined;
  // With its annotation it may be one that is counted only.
  for (const spec of make(asObject(root["spec"]), root))
    for (const metadata of [{ ...place, annotations }, place]) {
      const row = kind.parse({ metadata, spec }, interner);
      if (row.ok) return row.value;
    }
  return undefined;
}

/** Cilium's policies of a namespace and of the cluster, and its groups of CIDRs, validated. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Interner, Labels } from "../intern.ts";
import { type Reader, readObject } from "../read.ts";
import { isFilled, readNets } from "./calico-read.ts";
import { type CiliumPeer, peerFields, readAuthentication, readCiliumPeers } from "./cilium-peer.ts";
import { type CiliumIcmp, type CiliumPortRule, readIcmps, readPortRule } from "./cilium-port.ts";
import { type CiliumSelector, readCiliumSelector } from "./cilium-selector.ts";
import { choice, exactlyOne, onlyFields, quoted, readIsAudited, readPolicyHead } from "./strict.ts";

/** One rule of one direction. What is undefined was not given and restricts nothing; all undefined matches nothing. */
export interface CiliumRule {
  /** Alternatives; an empty list is nobody. */
  readonly peers: readonly CiliumPeer[] | undefined;
  /** Alternatives, not empty. */
  readonly toPorts: readonly CiliumPortRule[] | undefined;
  readonly icmps: readonly CiliumIcmp[] | undefined;
  /** undefined: none is asked for. */
  readonly authentication: string | undefined;
}

/** One specification: the rules for one selection. */
export interface CiliumSpec {
  /** Where in the object: `spec` or `specs[1]`. */
  readonly path: string;
  /** `nodes`: a host policy. */
  readonly of: "endpoints" | "nodes";
  readonly selector: CiliumSelector;
  readonly ingress: readonly CiliumRule[];
  readonly ingressDeny: readonly CiliumRule[];
  readonly egress: readonly CiliumRule[];
  readonly egressDeny: readonly CiliumRule[];
  /** Whether what no rule allows is denied: as said, or where there are rules. */
  readonly defaultDeny: { readonly ingress: boolean; readonly egress: boolean };
}

/** A policy. `kind namespace/name` is its key. */
export interface CiliumPolicy {
  readonly kind: "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy";
  /** `""` for policies of the cluster. */
  readonly namespace: string;
  readonly name: string;
  /** Counted and logged, not in force. */
  readonly isAudited: boolean;
  readonly specs: readonly CiliumSpec[];
}

/** Networks under one name. */
export interface CiliumCidrGroup {
  readonly name: string;
  readonly labels: Labels;
  readonly cidrs: readonly Prefix[];
}

const SPEC_FIELDS = [
  "endpointSelector",
  "nodeSelector",
  "ingress",
  "ingressDeny",
  "egress",
  "egressDeny",
  "enableDefaultDeny",
  "labels",
  "description",
  "log",
] as const;

function readRule(
  reader: Reader,
  direction: "ingress" | "egress",
  isDeny: boolean,
  namespace: string,
  i: Interner,
): CiliumRule {
  const requires = direction === "ingress" ? "fromRequires" : "toRequires";
  onlyFields(
    reader,
    ...peerFields(direction, isDeny),
    requires,
    "toPorts",
    "icmps",
    ...(isDeny ? [] : ["authentication"]),
  );
  if (reader.has(requires))
    reader.issue(requires, `${quoted(reader.value(requires))}: requirements exist no more, use deny rules`);
  const toPorts = reader.objects("toPorts").map((p) => readPortRule(p, isDeny));
  const icmps = readIcmps(reader);
  if (toPorts.length > 0 && icmps !== undefined)
    reader.issue(
      "icmps",
      `${quoted(reader.value("icmps"))} cannot stand together with toPorts: make two rules of them`,
    );
  return {
    peers: readCiliumPeers(reader, direction, namespace, isDeny, i),
    toPorts: toPorts.length === 0 ? undefined : toPorts,
    icmps,
    authentication: isDeny ? undefined : readAuthentication(reader),
  };
}

function readDefaultDeny(spec: Reader, has: (key: string) => boolean): CiliumSpec["defaultDeny"] {
  const given = spec.object("enableDefaultDeny");
  if (given !== undefined) onlyFields(given, "ingress", "egress");
  return {
    ingress: given?.boolean("ingress") ?? (has("ingress") || has("ingressDeny")),
    egress: given?.boolean("egress") ?? (has("egress") || has("egressDeny")),
  };
}

const NAMESPACE_LABEL = "k8s:io.kubernetes.pod.namespace";

/**
 * Whom the policy selects. In a policy of a namespace Cilium writes its own over the one that `matchLabels` name, right or wrong: a
 * policy that names another is about the pods of its own namespace, and not about nobody.
 */
function readSubject(selector: Reader, namespace: string, interner: Interner): CiliumSelector {
  const read = readCiliumSelector(selector, interner);
  const named = selector.object("matchLabels")?.value(NAMESPACE_LABEL);
  // What `matchLabels` say comes first.
  const at = read.findIndex((r) => `${r.source}:${r.key}` === NAMESPACE_LABEL);
  return namespace === "" || named === undefined ? read : read.filter((_, i) => i !== at);
}

function readSpec(spec: Reader, path: string, namespace: string, interner: Interner): CiliumSpec {
  onlyFields(spec, ...SPEC_FIELDS);
  const which = exactlyOne(spec, "endpointSelector", "nodeSelector");
  if (which === "nodeSelector" && namespace !== "")
    spec.issue("nodeSelector", "A policy of a namespace selects endpoints only: nodes are for the cluster's policies");
  const selector = which === undefined ? undefined : spec.object(which);
  const log = spec.object("log");
  if (log !== undefined) onlyFields(log, "value");
  const value = log?.string("value") ?? "";
  if (!/^[ -~]{0,32}$/.test(value))
    log?.issue("value", `${quoted(value)} is not text of at most 32 printable characters`);
  spec.string("description");
  const rules = (key: "ingress" | "ingressDeny" | "egress" | "egressDeny") =>
    spec
      .objects(key)
      .map((r) =>
        readRule(r, key.startsWith("ingress") ? "ingress" : "egress", key.endsWith("Deny"), namespace, interner),
      );
  return {
    path,
    of: which === "nodeSelector" ? "nodes" : "endpoints",
    selector: selector === undefined ? [] : readSubject(selector, namespace, interner),
    ingress: rules("ingress"),
    ingressDeny: rules("ingressDeny"),
    egress: rules("egress"),
    egressDeny: rules("egressDeny"),
    defaultDeny: readDefaultDeny(spec, (key) => isFilled(spec, key)),
  };
}

function parse(value: unknown, interner: Interner, kind: CiliumPolicy["kind"]): Result<CiliumPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  onlyFields(root, "apiVersion", "kind", "metadata", "spec", "specs", "status");
  choice(root, "apiVersion", ["cilium.io/v2"]);
  choice(root, "kind", [kind]);
  const metadata = root.object("metadata");
  if (metadata === undefined && !root.has("metadata")) root.issue("metadata", "A value is required");
  const namespace = kind === "CiliumNetworkPolicy" ? metadata?.string("namespace") || "default" : "";
  const spec = root.object("spec");
  const many = root.objects("specs");
  if (!root.has("spec") && many.length === 0) root.issue("spec", "A value is required, or specs with at least one");
  const policy: CiliumPolicy = {
    kind,
    namespace: interner.string(namespace),
    name: metadata?.requiredString("name") ?? "",
    isAudited: readIsAudited(metadata),
    specs: [
      ...(spec === undefined ? [] : [readSpec(spec, "spec", namespace, interner)]),
      ...many.map((s, i) => readSpec(s, `specs[${i}]`, namespace, interner)),
    ],
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}

/** Reads a policy of a namespace. Refused with all issues when anything in it is unknown or wrong. */
export function parseCiliumNetworkPolicy(value: unknown, interner: Interner): Result<CiliumPolicy, readonly Issue[]> {
  return parse(value, interner, "CiliumNetworkPolicy");
}

/** Reads a policy of the cluster. Refused with all issues when anything in it is unknown or wrong. */
export function parseCiliumClusterwideNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<CiliumPolicy, readonly Issue[]> {
  return parse(value, interner, "CiliumClusterwideNetworkPolicy");
}

/** Reads a CiliumCIDRGroup. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseCiliumCidrGroup(value: unknown, interner: Interner): Result<CiliumCidrGroup, readonly Issue[]> {
  const issues: Issue[] = [];
  const { root, name, spec } = readPolicyHead(
    value,
    { kind: "CiliumCIDRGroup", apiVersions: ["cilium.io/v2", "cilium.io/v2alpha1"], isNamespaced: false },
    issues,
  );
  if (spec === undefined) return err(issues);
  onlyFields(spec, "externalCIDRs");
  const labels = (root.object("metadata") ?? root).labels("labels", interner);
  const group = { name, labels, cidrs: readNets(spec, "externalCIDRs", 100_000) };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(group));
}

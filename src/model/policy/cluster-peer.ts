/** Subjects and peers of `policy.networking.k8s.io`: the same in all its kinds. */

import type { Prefix } from "../../net/prefix.ts";
import type { Interner } from "../intern.ts";
import type { Reader } from "../read.ts";
import { type LabelSelector, readLabelSelector, requiredLabelSelector, SELECT_ALL } from "./label-selector.ts";
import { exactlyOne, onlyFields, quoted, readCidr } from "./strict.ts";

/** Who the other side is. Pods in the node's network are none of `pods`. */
export type ClusterPeer =
  | {
      readonly kind: "pods";
      readonly namespaceSelector: LabelSelector;
      /** Absent: every pod of the namespaces. */
      readonly podSelector: LabelSelector | undefined;
    }
  | { readonly kind: "nodes"; readonly selector: LabelSelector }
  /** Every address in them, pods' and nodes' too. */
  | { readonly kind: "networks"; readonly networks: readonly Prefix[] }
  /** Lower case, without a dot at the end; `*.` at the beginning stands for one label or more. */
  | { readonly kind: "domains"; readonly names: readonly string[] }
  /** No member is set: an API server dropped what it did not know. Rules with it fail closed. */
  | { readonly kind: "unknown" };

const MAX_ITEMS = 25;
const DOMAIN = /^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$/;

function readPods(
  reader: Reader,
  interner: Interner,
): { namespaceSelector: LabelSelector; podSelector: LabelSelector } {
  onlyFields(reader, "namespaceSelector", "podSelector");
  return {
    namespaceSelector: readLabelSelector(reader, "namespaceSelector", interner) ?? SELECT_ALL,
    podSelector: requiredLabelSelector(reader, "podSelector", interner),
  };
}

function checkedItems(reader: Reader, key: string): readonly string[] {
  const items = reader.strings(key);
  if (items.length === 0) reader.issue(key, "0 items: at least 1 is required");
  if (items.length > MAX_ITEMS) reader.issue(key, `${items.length} items: at most ${MAX_ITEMS} are allowed`);
  return items;
}

function readDomains(reader: Reader): readonly string[] {
  return checkedItems(reader, "domainNames").map((name, i) => {
    if (name.length > 255 || !DOMAIN.test(name))
      reader.issue(`domainNames[${i}]`, `${quoted(name)} is not a domain name such as example.org or *.example.org`);
    return name.toLowerCase().replace(/\.$/, "");
  });
}

/** One entry of `from` or `to`. */
export function readClusterPeer(reader: Reader, direction: "ingress" | "egress", interner: Interner): ClusterPeer {
  const known =
    direction === "ingress"
      ? (["namespaces", "pods"] as const)
      : (["namespaces", "pods", "nodes", "networks", "domainNames"] as const);
  onlyFields(reader, ...known);
  if (reader.keys().length === 0) return { kind: "unknown" };
  switch (exactlyOne(reader, ...known)) {
    case "namespaces":
      return {
        kind: "pods",
        namespaceSelector: readLabelSelector(reader, "namespaces", interner) ?? SELECT_ALL,
        podSelector: undefined,
      };
    case "pods": {
      const pods = reader.object("pods");
      return pods === undefined ? { kind: "unknown" } : { kind: "pods", ...readPods(pods, interner) };
    }
    case "nodes":
      return { kind: "nodes", selector: readLabelSelector(reader, "nodes", interner) ?? SELECT_ALL };
    case "networks": {
      const networks = checkedItems(reader, "networks").map((text, i) => readCidr(reader, `networks[${i}]`, text));
      return { kind: "networks", networks: networks.filter((n) => n !== undefined) };
    }
    case "domainNames":
      return { kind: "domains", names: readDomains(reader) };
    case undefined:
      return { kind: "unknown" };
  }
}

/** `spec.subject`. */
export function readSubject(
  spec: Reader,
  interner: Interner,
): { namespaceSelector: LabelSelector; podSelector: LabelSelector | undefined } {
  const reader = spec.object("subject");
  if (reader === undefined) {
    if (!spec.has("subject")) spec.issue("subject", "A value is required: namespaces or pods");
    return { namespaceSelector: SELECT_ALL, podSelector: undefined };
  }
  onlyFields(reader, "namespaces", "pods");
  const which = exactlyOne(reader, "namespaces", "pods");
  const pods = which === "pods" ? reader.object("pods") : undefined;
  if (pods !== undefined) return readPods(pods, interner);
  return { namespaceSelector: readLabelSelector(reader, "namespaces", interner) ?? SELECT_ALL, podSelector: undefined };
}

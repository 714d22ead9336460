/** The other side of Cilium's rules. */

import { type Prefix, prefixCovers } from "../../net/prefix.ts";
import type { Interner } from "../intern.ts";
import type { Reader } from "../read.ts";
import { isFilled, readNets } from "./calico-read.ts";
import { type CiliumSelector, readCiliumSelector } from "./cilium-selector.ts";
import { choice, exactlyOne, onlyFields, quoted } from "./strict.ts";

const ENTITIES = [
  "all",
  "world",
  "world-ipv4",
  "world-ipv6",
  "cluster",
  "cluster-mesh",
  "host",
  "remote-node",
  "kube-apiserver",
  "ingress",
  "health",
  "init",
  "unmanaged",
  "none",
] as const;

/** What has no labels of its own. */
export type CiliumEntity = (typeof ENTITIES)[number];

/** One alternative of a rule's peers. */
export type CiliumPeer =
  | { readonly kind: "endpoints"; readonly selector: CiliumSelector }
  | { readonly kind: "entity"; readonly entity: CiliumEntity }
  /** Addresses outside the cluster. */
  | { readonly kind: "cidr"; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: "group-ref"; readonly name: string; readonly except: readonly Prefix[] }
  | { readonly kind: "group-selector"; readonly selector: CiliumSelector; readonly except: readonly Prefix[] }
  | { readonly kind: "nodes"; readonly selector: CiliumSelector }
  | { readonly kind: "service"; readonly namespace: string; readonly name: string }
  /** `namespace` `""`: of every one. */
  | { readonly kind: "service-selector"; readonly namespace: string; readonly selector: CiliumSelector }
  /** Known by name only, in words: not enforced yet. */
  | { readonly kind: "later"; readonly text: string };

function readCidrSet(reader: Reader, interner: Interner): CiliumPeer | undefined {
  onlyFields(reader, "cidr", "cidrGroupRef", "cidrGroupSelector", "except");
  const except = readNets(reader, "except", 1024);
  switch (exactlyOne(reader, "cidr", "cidrGroupRef", "cidrGroupSelector")) {
    case "cidr": {
      const [cidr] = readOne(reader, "cidr");
      if (cidr === undefined) return undefined;
      for (const [i, e] of except.entries())
        if (!prefixCovers(cidr, e))
          reader.issue(`except[${i}]`, `${quoted(e.text)} is not inside ${quoted(cidr.text)}`);
      return { kind: "cidr", cidr, except };
    }
    case "cidrGroupRef":
      return { kind: "group-ref", name: reader.requiredString("cidrGroupRef"), except };
    case "cidrGroupSelector": {
      const selector = reader.object("cidrGroupSelector");
      return selector && { kind: "group-selector", selector: readCiliumSelector(selector, interner), except };
    }
    case undefined:
      return undefined;
  }
}

/** One CIDR that is no list, read as one of a list. */
function readOne(reader: Reader, key: string): readonly Prefix[] {
  const text = reader.requiredString(key);
  if (text === "") return [];
  const view: Reader = { ...reader, strings: () => [text], issue: (_k, m) => reader.issue(key, m) };
  return readNets(view, key, 1);
}

function readService(reader: Reader, namespace: string, interner: Interner): CiliumPeer | undefined {
  onlyFields(reader, "k8sService", "k8sServiceSelector");
  const which = exactlyOne(reader, "k8sService", "k8sServiceSelector");
  const body = which === undefined ? undefined : reader.object(which);
  if (body === undefined) return undefined;
  if (which === "k8sService") {
    onlyFields(body, "serviceName", "namespace");
    return {
      kind: "service",
      namespace: body.string("namespace") || namespace,
      name: body.requiredString("serviceName"),
    };
  }
  onlyFields(body, "selector", "namespace");
  const selector = body.object("selector");
  if (selector === undefined && !body.has("selector")) body.issue("selector", "A value is required: {} selects all");
  return (
    selector && {
      kind: "service-selector",
      namespace: body.string("namespace") || namespace,
      selector: readCiliumSelector(selector, interner),
    }
  );
}

/** Pods of the namespace of whom the policy selects: known where the policy has one itself. */
function ownNamespace(key: string, namespace: string): CiliumPeer {
  return namespace === "" ? { kind: "later", text: `${key} namespace` } : { kind: "endpoints", selector: [] };
}

function readEntities(rule: Reader, key: string, namespace: string): CiliumPeer[] {
  return rule.strings(key).flatMap((text, i): CiliumPeer[] => {
    if (text === "namespace") return [ownNamespace(key, namespace)];
    const entity = ENTITIES.find((e) => e === text);
    if (entity === undefined)
      rule.issue(`${key}[${i}]`, `${quoted(text)} is not one of ${ENTITIES.join(", ")}, namespace`);
    return entity === undefined ? [] : [{ kind: "entity", entity }];
  });
}

const NAME = /^([a-z0-9_-]+\.)*[a-z0-9_-]+\.?$/i;
const PATTERN = /^(\*|(\*\*\.)?([a-z0-9_*-]+\.)*[a-z0-9_*-]+\.?)$/i;

function readFqdn(reader: Reader): CiliumPeer {
  onlyFields(reader, "matchName", "matchPattern");
  const which = exactlyOne(reader, "matchName", "matchPattern");
  const text = which === undefined ? "" : reader.requiredString(which);
  if (which !== undefined && text !== "" && (text.length > 255 || !(which === "matchName" ? NAME : PATTERN).test(text)))
    reader.issue(which, `${quoted(text)} is not a domain name${which === "matchName" ? "" : " with * in it"}`);
  return { kind: "later", text: `toFQDNs ${which ?? ""} ${text}` };
}

function readGroups(reader: Reader, key: string): CiliumPeer {
  onlyFields(reader, "aws");
  return { kind: "later", text: `${key}: groups of a cloud` };
}

/** The fields that say who, in a direction. */
export function peerFields(direction: "ingress" | "egress", isDeny: boolean): readonly string[] {
  const stem = direction === "ingress" ? "from" : "to";
  const both = ["Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes", "Groups"].map((f) => `${stem}${f}`);
  return direction === "ingress" ? both : [...both, "toServices", ...(isDeny ? [] : ["toFQDNs"])];
}

/** Who a rule is about: undefined when no field says so, which is not the same as an empty list. */
export function readCiliumPeers(
  rule: Reader,
  direction: "ingress" | "egress",
  namespace: string,
  isDeny: boolean,
  interner: Interner,
): readonly CiliumPeer[] | undefined {
  const there = peerFields(direction, isDeny).filter((f) => rule.has(f));
  const filled = there.filter((f) => isFilled(rule, f));
  for (const field of filled.slice(1))
    rule.issue(field, `${quoted(rule.value(field))} cannot stand together with ${filled[0]}: make two rules of them`);
  if (there.length === 0) return undefined;
  const stem = direction === "ingress" ? "from" : "to";
  const objects = <T>(f: string, read: (r: Reader) => T) => rule.objects(f).map(read);
  return [
    ...objects(
      `${stem}Endpoints`,
      (r): CiliumPeer => ({ kind: "endpoints", selector: readCiliumSelector(r, interner) }),
    ),
    ...readEntities(rule, `${stem}Entities`, namespace),
    ...readNets(rule, `${stem}CIDR`, 1024).map((cidr): CiliumPeer => ({ kind: "cidr", cidr, except: [] })),
    ...objects(`${stem}CIDRSet`, (r) => readCidrSet(r, interner)),
    ...objects(`${stem}Nodes`, (r): CiliumPeer => ({ kind: "nodes", selector: readCiliumSelector(r, interner) })),
    ...objects(`${stem}Groups`, (r) => readGroups(r, `${stem}Groups`)),
    ...(direction === "egress" ? objects("toServices", (r) => readService(r, namespace, interner)) : []),
    ...(direction === "egress" && !isDeny ? objects("toFQDNs", readFqdn) : []),
  ].filter((p) => p !== undefined);
}

/** The mode of `authentication`; undefined: none is asked for. */
export function readAuthentication(rule: Reader): string | undefined {
  const reader = rule.object("authentication");
  if (reader === undefined) return undefined;
  onlyFields(reader, "mode");
  const mode = choice(reader, "mode", ["disabled", "required", "test-always-fail"]);
  if (!reader.has("mode")) reader.issue("mode", "A value is required: disabled, required, test-always-fail");
  return mode === "disabled" ? undefined : mode;
}

/**
 * AdminNetworkPolicy and BaselineAdminNetworkPolicy (`policy.networking.k8s.io/v1alpha1`), validated. They became
 * ClusterNetworkPolicy and mean the same: Allow is Accept, `ports` are `protocols`.
 */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Interner } from "../intern.ts";
import type { Reader } from "../read.ts";
import {
  type ClusterNetworkPolicy,
  type ClusterRule,
  type ClusterTraffic,
  checkRule,
  readPortRange,
} from "./cluster-network-policy.ts";
import { readClusterPeer, readSubject } from "./cluster-peer.ts";
import { readPortName, readPortProtocol } from "./port.ts";
import { boundedObjects, choice, exactlyOne, onlyFields, quoted, readPolicyHead } from "./strict.ts";

const API_VERSIONS = ["policy.networking.k8s.io/v1alpha1"];
const MAX_ITEMS = 100;

function readPortNumber(reader: Reader): ClusterTraffic | undefined {
  onlyFields(reader, "protocol", "port");
  const protocol = readPortProtocol(reader, "protocol");
  if (!reader.has("port")) reader.issue("port", "A value is required");
  const port = reader.integer("port", 1, 65535);
  return port === undefined ? undefined : { kind: "ports", protocol, first: port, last: port };
}

function readTraffic(reader: Reader): ClusterTraffic | undefined {
  onlyFields(reader, "portNumber", "namedPort", "portRange");
  switch (exactlyOne(reader, "portNumber", "namedPort", "portRange")) {
    case "portNumber": {
      const number = reader.object("portNumber");
      return number && readPortNumber(number);
    }
    case "namedPort":
      return { kind: "named", name: readPortName(reader, "namedPort") };
    case "portRange": {
      const range = reader.object("portRange");
      if (range === undefined) return undefined;
      onlyFields(range, "protocol", "start", "end");
      return readPortRange(range, readPortProtocol(range, "protocol"));
    }
    case undefined:
      return undefined;
  }
}

const ACTIONS = { Allow: "accept", Deny: "deny", Pass: "pass" } as const;

function readRules(
  spec: Reader,
  direction: "ingress" | "egress",
  actions: readonly (keyof typeof ACTIONS)[],
  interner: Interner,
): ClusterRule[] {
  const peersKey = direction === "ingress" ? "from" : "to";
  return boundedObjects(spec, direction, 0, MAX_ITEMS).map((reader) => {
    onlyFields(reader, "name", "action", peersKey, "ports");
    if (!reader.has("action")) reader.issue("action", `A value is required: ${actions.join(", ")}`);
    const peers = boundedObjects(reader, peersKey, 1, MAX_ITEMS).map((p) => readClusterPeer(p, direction, interner));
    const traffic = boundedObjects(reader, "ports", reader.has("ports") ? 1 : 0, MAX_ITEMS).map(readTraffic);
    const rule: ClusterRule = {
      name: reader.string("name") ?? "",
      action: ACTIONS[choice(reader, "action", actions) ?? "Deny"],
      peers,
      traffic: traffic.filter((t) => t !== undefined),
    };
    checkRule(reader, peersKey, "ports", rule);
    return rule;
  });
}

/** Reads an AdminNetworkPolicy. Refused with all issues when anything in its spec is unknown or wrong. */
export function parseAdminNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<ClusterNetworkPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const kind = "AdminNetworkPolicy";
  const { name, isAudited, spec } = readPolicyHead(
    value,
    { kind, apiVersions: API_VERSIONS, isNamespaced: false },
    issues,
  );
  if (spec === undefined) return err(issues);
  onlyFields(spec, "priority", "subject", "ingress", "egress");
  if (!spec.has("priority")) spec.issue("priority", "A value is required: 0 to 1000, lower first");
  const policy: ClusterNetworkPolicy = {
    kind,
    name,
    isAudited,
    tier: "Admin",
    priority: spec.integer("priority", 0, 1000) ?? 0,
    subject: readSubject(spec, interner),
    ingress: readRules(spec, "ingress", ["Allow", "Deny", "Pass"], interner),
    egress: readRules(spec, "egress", ["Allow", "Deny", "Pass"], interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}

/** Reads a BaselineAdminNetworkPolicy: a cluster has one, named `default`. It stands behind all of Baseline's own. */
export function parseBaselineAdminNetworkPolicy(
  value: unknown,
  interner: Interner,
): Result<ClusterNetworkPolicy, readonly Issue[]> {
  const issues: Issue[] = [];
  const kind = "BaselineAdminNetworkPolicy";
  const head = readPolicyHead(value, { kind, apiVersions: API_VERSIONS, isNamespaced: false }, issues);
  const { name, root, isAudited, spec } = head;
  if (name !== "" && name !== "default")
    root.object("metadata")?.issue("name", `${quoted(name)} is not "default", the only name that the kind allows`);
  if (spec === undefined) return err(issues);
  onlyFields(spec, "subject", "ingress", "egress");
  const policy: ClusterNetworkPolicy = {
    kind,
    name,
    isAudited,
    tier: "Baseline",
    priority: 1000,
    subject: readSubject(spec, interner),
    ingress: readRules(spec, "ingress", ["Allow", "Deny"], interner),
    egress: readRules(spec, "egress", ["Allow", "Deny"], interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(policy));
}

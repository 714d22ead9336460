/** What the server refuses in objects of the built-in kinds: the checks that people run into, not all of the real ones. */

import { parseAddr } from "../../net/addr.ts";
import { parsePrefix, prefixCovers } from "../../net/prefix.ts";
import {
  duplicateValue,
  forbiddenValue,
  invalidValue,
  required,
  type StatusCause,
  unsupportedValue,
} from "./api-error.ts";
import { validateDefinition } from "./custom-resources.ts";
import { type Fields, isFields, jsonEqual } from "./fields.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeObject } from "./types.ts";
import { validateConfigMap, validateSecret } from "./validate-data.ts";
import { validateLabels } from "./validate-meta.ts";
import { validateService } from "./validate-service.ts";
import { DNS_LABEL, isPort, objects, PORT_RANGE } from "./words.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP"];

function checkPorts(container: Fields, at: string): StatusCause[] {
  return objects(container["ports"]).flatMap((p, i) => {
    const field = `${at}.ports[${i}]`;
    const out: StatusCause[] = [];
    if (p["containerPort"] === undefined) out.push(required(`${field}.containerPort`));
    else if (!isPort(p["containerPort"]))
      out.push(invalidValue(`${field}.containerPort`, p["containerPort"], PORT_RANGE));
    if (!PROTOCOLS.includes(p["protocol"])) out.push(unsupportedValue(`${field}.protocol`, p["protocol"], PROTOCOLS));
    return out;
  });
}

/** Checks of a `PodSpec`. */
function validatePodSpec(spec: Fields, at: string): StatusCause[] {
  const out: StatusCause[] = [];
  if (objects(spec["containers"]).length === 0) out.push(required(`${at}.containers`));
  const names = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    for (const [i, c] of objects(spec[list]).entries()) {
      const field = `${at}.${list}[${i}]`;
      const name = c["name"];
      if (name === undefined || name === "") out.push(required(`${field}.name`));
      else if (typeof name !== "string" || !DNS_LABEL.test(name))
        out.push(invalidValue(`${field}.name`, name, "must be a lowercase RFC 1123 label"));
      else if (names.has(name)) out.push(duplicateValue(`${field}.name`, name));
      names.add(String(name));
      if (typeof c["image"] !== "string" || c["image"] === "") out.push(required(`${field}.image`));
      out.push(...checkPorts(c, field));
    }
  }
  const policies = ["Always", "OnFailure", "Never"];
  if (!policies.includes(spec["restartPolicy"]))
    out.push(unsupportedValue(`${at}.restartPolicy`, spec["restartPolicy"], policies));
  return out;
}

/** What may change in a pod's specification after creation. */
function mutablePart(spec: Fields): Fields {
  const images = (list: unknown) => objects(list).map((c) => ({ ...c, image: "" }));
  return {
    ...spec,
    containers: images(spec["containers"]),
    initContainers: images(spec["initContainers"]),
    activeDeadlineSeconds: undefined,
    terminationGracePeriodSeconds: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
  };
}

function validatePod(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const spec: Fields = object["spec"] ?? {};
  const out = validatePodSpec(spec, "spec");
  if (old === undefined) return out;
  const before: Fields = old["spec"] ?? {};
  // Binding by a plain update is allowed here, since the lab's scheduler is a plain client.
  const bound = before["nodeName"] ? before : { ...before, nodeName: spec["nodeName"] };
  if (!jsonEqual(mutablePart(bound), mutablePart(spec)))
    out.push(
      forbiddenValue(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations), `spec.terminationGracePeriodSeconds`",
      ),
    );
  return out;
}

function validateWorkload(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const spec: Fields = object["spec"] ?? {};
  const out: StatusCause[] = [];
  const labels: Fields = spec["template"]?.metadata?.labels ?? {};
  const wanted: Fields = spec["selector"]?.matchLabels ?? {};
  if (!isFields(spec["selector"])) out.push(required("spec.selector"));
  else if (!Object.entries(wanted).every(([k, v]) => labels[k] === v))
    out.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  if (old !== undefined && !jsonEqual(old["spec"]?.selector, spec["selector"]))
    out.push(invalidValue("spec.selector", spec["selector"], "field is immutable"));
  if (spec["replicas"] !== undefined && !(Number.isInteger(spec["replicas"]) && spec["replicas"] >= 0))
    out.push(invalidValue("spec.replicas", spec["replicas"], "must be greater than or equal to 0"));
  out.push(...validateLabels(labels, "spec.template.metadata.labels"));
  out.push(...validatePodSpec(spec["template"]?.spec ?? {}, "spec.template.spec"));
  return out;
}

function validateNode(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const spec: Fields = object["spec"] ?? {};
  const out: StatusCause[] = [];
  const cidrs: unknown[] = Array.isArray(spec["podCIDRs"]) ? spec["podCIDRs"] : [];
  for (const [i, c] of cidrs.entries()) {
    const p = parsePrefix(String(c));
    if (!p.ok) out.push(invalidValue(`spec.podCIDRs[${i}]`, c, p.error));
  }
  const before: unknown[] = old?.["spec"]?.podCIDRs ?? [];
  if (before.length > 0 && !jsonEqual(before, cidrs))
    out.push(forbiddenValue("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  for (const [i, a] of objects(object["status"]?.addresses).entries())
    if (/IP$/.test(String(a["type"])) && !parseAddr(String(a["address"])).ok)
      out.push(invalidValue(`status.addresses[${i}].address`, a["address"], "must be a valid IP address"));
  return out;
}

/** A range has a number at each end, the lower one first. */
function validatePolicyPort(p: Fields, at: string): StatusCause[] {
  const out: StatusCause[] = [];
  const { protocol, port, endPort } = p;
  if (!PROTOCOLS.includes(protocol)) out.push(unsupportedValue(`${at}.protocol`, protocol, PROTOCOLS));
  if (typeof port === "number" && !isPort(port))
    out.push(invalidValue(`${at}.port`, port, "must be between 1 and 65535, inclusive"));
  if (endPort === undefined) return out;
  const end = (why: string) => out.push(invalidValue(`${at}.endPort`, endPort, why));
  if (port === undefined) end("may not be specified when `port` is not specified");
  else if (typeof port !== "number") end("may not be specified when `port` is non-numeric");
  else if (endPort < port) end("must be greater than or equal to `port`");
  else if (!isPort(endPort)) end("must be between 1 and 65535, inclusive");
  return out;
}

function validateIpBlock(block: Fields, at: string): StatusCause[] {
  const outer = parsePrefix(String(block["cidr"]));
  if (!outer.ok) return [invalidValue(`${at}.cidr`, block["cidr"], "must be a valid CIDR value")];
  const except: unknown[] = Array.isArray(block["except"]) ? block["except"] : [];
  return except.flatMap((text, k) => {
    const inner = parsePrefix(String(text));
    if (!inner.ok) return [invalidValue(`${at}.except[${k}]`, text, "must be a valid CIDR value")];
    if (prefixCovers(outer.value, inner.value) && inner.value.length > outer.value.length) return [];
    return [invalidValue(`${at}.except[${k}]`, text, "must be a strict subset of `cidr`")];
  });
}

function validateNetworkPolicy(object: KubeObject): StatusCause[] {
  const out: StatusCause[] = [];
  const spec: Fields = object["spec"] ?? {};
  for (const [direction, side] of [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const)
    for (const [i, rule] of objects(spec[direction]).entries()) {
      for (const [j, peer] of objects(rule[side]).entries()) {
        const at = `spec.${direction}[${i}].${side}[${j}]`;
        const block = peer["ipBlock"];
        if (Object.keys(peer).length === 0) out.push(required(at, "must specify a peer"));
        else if (isFields(block)) out.push(...validateIpBlock(block, `${at}.ipBlock`));
        if (block !== undefined && Object.keys(peer).length > 1)
          out.push(forbiddenValue(at, "may not specify both ipBlock and another peer"));
      }
      for (const [j, p] of objects(rule["ports"]).entries())
        out.push(...validatePolicyPort(p, `spec.${direction}[${i}].ports[${j}]`));
    }
  return out;
}

function validateRoleBinding(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const ref = object["roleRef"];
  if (!isFields(ref) || !ref["name"]) return [required("roleRef.name")];
  if (old !== undefined && !jsonEqual(old["roleRef"], ref))
    return [invalidValue("roleRef", ref, "cannot change roleRef")];
  return [];
}

type Validator = (object: KubeObject, old: KubeObject | undefined) => StatusCause[];

const VALIDATORS: Readonly<Record<string, Validator>> = {
  "/configmaps": validateConfigMap,
  "/secrets": validateSecret,
  "/pods": validatePod,
  "/nodes": validateNode,
  "/services": validateService,
  "apps/deployments": validateWorkload,
  "apps/daemonsets": validateWorkload,
  "apps/replicasets": validateWorkload,
  "apps/statefulsets": validateWorkload,
  "networking.k8s.io/networkpolicies": validateNetworkPolicy,
  "rbac.authorization.k8s.io/rolebindings": validateRoleBinding,
  "rbac.authorization.k8s.io/clusterrolebindings": validateRoleBinding,
  "apiextensions.k8s.io/customresourcedefinitions": validateDefinition,
};

/** Everything that is wrong with an object besides its metadata. */
export function validateObject(r: ResourceType, object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  return VALIDATORS[r.storage]?.(object, old) ?? [];
}

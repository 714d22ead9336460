/**
 * How lists of the built-in kinds merge: by which member their items are told apart.
 *
 * Strategic merge patch knows one key for each list, server-side apply one or more; both walk this tree. A list that is
 * not named is replaced as a whole.
 */

import type { ResourceType } from "./resources.ts";
import type { JsonSchema } from "./schema.ts";

/** What is known about a value: its members if it is an object, its items if it is a list. */
export interface MergeSchema {
  readonly fields?: { readonly [name: string]: MergeSchema };
  readonly list?:
    | { readonly kind: "set" }
    | {
        readonly kind: "map";
        /** Key of strategic merge patch. */
        readonly patchKey: string;
        /** Keys of server-side apply, with the value that an absent key has. */
        readonly keys: readonly { readonly name: string; readonly otherwise?: string }[];
        readonly item?: MergeSchema;
      };
  /** A value that is always taken as a whole. */
  readonly isAtomic?: boolean;
}

type KeyList = readonly (string | readonly [string, string])[];

function listBy(patchKey: string, item?: MergeSchema, keys: KeyList = [patchKey]): MergeSchema {
  const named = keys.map((k) => (typeof k === "string" ? { name: k } : { name: k[0], otherwise: k[1] }));
  return { list: { kind: "map", patchKey, keys: named, ...(item === undefined ? {} : { item }) } };
}

const SET: MergeSchema = { list: { kind: "set" } };
const ATOMIC: MergeSchema = { isAtomic: true };

const METADATA: MergeSchema = { fields: { finalizers: SET, ownerReferences: listBy("uid") } };
const CONDITIONS = listBy("type");

const CONTAINER: MergeSchema = {
  fields: {
    ports: listBy("containerPort", undefined, ["containerPort", ["protocol", "TCP"]]),
    env: listBy("name"),
    volumeMounts: listBy("mountPath"),
    volumeDevices: listBy("devicePath"),
    resources: { fields: { claims: listBy("name") } },
  },
};

const POD_SPEC: MergeSchema = {
  fields: {
    containers: listBy("name", CONTAINER),
    initContainers: listBy("name", CONTAINER),
    ephemeralContainers: listBy("name", CONTAINER),
    volumes: listBy("name"),
    imagePullSecrets: listBy("name"),
    hostAliases: listBy("ip"),
    topologySpreadConstraints: listBy("topologyKey", undefined, ["topologyKey", "whenUnsatisfiable"]),
    schedulingGates: listBy("name"),
    resourceClaims: listBy("name"),
    nodeSelector: ATOMIC,
  },
};

const TEMPLATE: MergeSchema = { fields: { metadata: METADATA, spec: POD_SPEC } };
const SELECTOR = ATOMIC;
const WORKLOAD: MergeSchema = {
  fields: {
    metadata: METADATA,
    spec: { fields: { selector: SELECTOR, template: TEMPLATE } },
    status: { fields: { conditions: CONDITIONS } },
  },
};

function kindOf(spec: MergeSchema["fields"], status: MergeSchema["fields"]): MergeSchema {
  return { fields: { metadata: METADATA, spec: { fields: spec ?? {} }, status: { fields: status ?? {} } } };
}

const SERVICE_PORTS = listBy("port", undefined, ["port", ["protocol", "TCP"]]);

const BY_STORAGE: Readonly<Record<string, MergeSchema>> = {
  "/pods": {
    fields: {
      metadata: METADATA,
      spec: POD_SPEC,
      status: { fields: { conditions: CONDITIONS, podIPs: listBy("ip"), hostIPs: ATOMIC } },
    },
  },
  "/nodes": kindOf({ podCIDRs: SET, taints: {} }, { conditions: CONDITIONS, addresses: listBy("type") }),
  "/namespaces": kindOf({}, { conditions: CONDITIONS }),
  "/services": kindOf({ ports: SERVICE_PORTS, selector: ATOMIC }, { conditions: CONDITIONS }),
  "/serviceaccounts": {
    fields: {
      metadata: METADATA,
      secrets: listBy("name"),
      imagePullSecrets: { list: { kind: "map", patchKey: "name", keys: [{ name: "name" }] } },
    },
  },
  "/endpoints": { fields: { metadata: METADATA } },
  "/persistentvolumeclaims": kindOf({}, { conditions: CONDITIONS }),
  "apps/daemonsets": WORKLOAD,
  "apps/deployments": WORKLOAD,
  "apps/replicasets": WORKLOAD,
  "apps/statefulsets": WORKLOAD,
  "/replicationcontrollers": WORKLOAD,
  "batch/jobs": WORKLOAD,
  "batch/cronjobs": {
    fields: {
      metadata: METADATA,
      spec: { fields: { jobTemplate: { fields: { spec: { fields: { template: TEMPLATE } } } } } },
    },
  },
  "discovery.k8s.io/endpointslices": { fields: { metadata: METADATA } },
  "networking.k8s.io/ingresses": { fields: { metadata: METADATA } },
  "policy/poddisruptionbudgets": kindOf({ selector: SELECTOR }, { conditions: CONDITIONS }),
  "apiextensions.k8s.io/customresourcedefinitions": kindOf({}, { conditions: CONDITIONS }),
};

const UNKNOWN: MergeSchema = { fields: { metadata: METADATA } };

/** The tree of a custom resource, from its structural schema's `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`. */
function fromJsonSchema(schema: JsonSchema | undefined, depth = 0): MergeSchema {
  if (schema === undefined || depth > 40) return {};
  if (schema["x-kubernetes-map-type"] === "atomic") return ATOMIC;
  if (schema.type === "array") {
    const item = fromJsonSchema(schema.items, depth + 1);
    const keys = schema["x-kubernetes-list-map-keys"] ?? [];
    if (schema["x-kubernetes-list-type"] === "set") return SET;
    return schema["x-kubernetes-list-type"] === "map" ? listBy(keys[0] ?? "name", item, keys) : {};
  }
  const fields = Object.entries(schema.properties ?? {}).map(([k, v]) => [k, fromJsonSchema(v, depth + 1)] as const);
  return { fields: Object.fromEntries(fields) };
}

const custom = new WeakMap<JsonSchema, MergeSchema>();

/** How the lists of a kind merge. */
export function mergeSchemaOf(r: ResourceType): MergeSchema {
  if (r.custom === undefined) return BY_STORAGE[r.storage] ?? UNKNOWN;
  const schema = r.custom.schema;
  if (schema === undefined) return UNKNOWN;
  let made = custom.get(schema);
  if (made === undefined) {
    made = { fields: { ...fromJsonSchema(schema).fields, metadata: METADATA } };
    custom.set(schema, made);
  }
  return made;
}

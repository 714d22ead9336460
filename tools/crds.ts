/**
 * Writes `install/crds/` from the tables of cluster objects: `node tools/crds.ts`. A test compares the files with what this
 * would write, so neither can go stale.
 *
 * What stands in a `spec` of others' kinds is not said here a second time: it is kept whole, and Twill's readers check every field of it and
 * report on the object's status. A schema that dropped a field would make another policy of it, silently.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { TABLE_KINDS, type TableKind } from "../src/cluster/tables.ts";
import { settingsSchema } from "./config-schema.ts";
import { repoRoot } from "./repo-files.ts";

/** Group of Twill's own kinds, whose schemas say everything. */
export const OWN_GROUP = "twill.dev";

/** Groups whose kinds a cluster may lack. */
const GROUPS = [
  "policy.networking.k8s.io",
  "projectcalico.org",
  "crd.projectcalico.org",
  "cilium.io",
  OWN_GROUP,
] as const;

const KEEP = { "x-kubernetes-preserve-unknown-fields": true } as const;

/** `Condition` of `meta/v1`. */
const CONDITION = {
  type: "object",
  required: ["type", "status", "lastTransitionTime", "reason", "message"],
  properties: {
    type: { type: "string", maxLength: 316 },
    status: { type: "string", enum: ["True", "False", "Unknown"] },
    observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    lastTransitionTime: { type: "string", format: "date-time" },
    reason: { type: "string", minLength: 1, maxLength: 1024 },
    message: { type: "string", maxLength: 32768 },
  },
} as const;

const STATUS = {
  type: "object",
  ...KEEP,
  properties: {
    conditions: {
      type: "array",
      items: CONDITION,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
    },
  },
} as const;

/**
 * Names that users of each project type. Kubernetes' ClusterNetworkPolicy and Calico's NetworkPolicy claim `cnp` too: only one
 * kind can have it, and Cilium's had it first.
 */
const SHORT_NAMES: Readonly<Record<string, readonly string[]>> = {
  "cilium.io/CiliumNetworkPolicy": ["cnp", "ciliumnp"],
  "cilium.io/CiliumClusterwideNetworkPolicy": ["ccnp"],
  "cilium.io/CiliumCIDRGroup": ["ccg"],
  "policy.networking.k8s.io/AdminNetworkPolicy": ["anp"],
  "policy.networking.k8s.io/BaselineAdminNetworkPolicy": ["banp"],
  "projectcalico.org/GlobalNetworkPolicy": ["gnp"],
};

interface Column {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
}

const column = (name: string, jsonPath: string, type = "string"): Column => ({ name, type, jsonPath });

/** What `kubectl get` shows of a kind beside its name. */
function columnsOf(kind: string): Column[] {
  const condition = (type: string) => column(type, `.status.conditions[?(@.type=="${type}")].status`);
  const age = column("Age", ".metadata.creationTimestamp", "date");
  if (kind === "LoadBalancerPool")
    return [column("Addresses", ".spec.addresses"), column("Disabled", ".spec.disabled", "boolean"), age];
  const own = OWN_COLUMNS[kind];
  if (own !== undefined) return [...own, condition("Accepted"), condition("Ready"), age];
  return [
    ...(kind === "ClusterNetworkPolicy" ? [column("Tier", ".spec.tier")] : []),
    ...(/^(Cluster|Admin)NetworkPolicy$/.test(kind) ? [column("Priority", ".spec.priority", "integer")] : []),
    ...(kind === "Tier" ? [column("Order", ".spec.order", "number")] : []),
    condition("Accepted"),
    condition("Enforced"),
    age,
  ];
}

const SELECTOR = {
  type: "object",
  description: "Nodes with such labels; {} selects all of them",
  properties: {
    matchLabels: { type: "object", additionalProperties: { type: "string" } },
    matchExpressions: {
      type: "array",
      items: {
        type: "object",
        required: ["key", "operator"],
        properties: {
          key: { type: "string" },
          operator: { type: "string", enum: ["In", "NotIn", "Exists", "DoesNotExist"] },
          values: { type: "array", items: { type: "string" } },
        },
      },
    },
  },
} as const;

/** Schemas of the specifications of Twill's own kinds. */
const OWN_SPECS: Readonly<Record<string, object>> = {
  ClusterConfiguration: {
    ...settingsSchema("cluster", "node"),
    description: "Keys of the agents' configuration, over what stands in their files: docs/configuration.md",
  },
  NodeConfiguration: {
    type: "object",
    ...KEEP,
    required: ["config"],
    properties: {
      nodes: { type: "array", maxItems: 5000, items: { type: "string" }, description: "Names of nodes that it is for" },
      nodeSelector: SELECTOR,
      config: {
        ...settingsSchema("node"),
        description: "Keys of the agents' configuration, over what a ClusterConfiguration says",
      },
    },
  },
  IPPool: {
    type: "object",
    ...KEEP,
    required: ["cidr"],
    properties: {
      cidr: { type: "string", maxLength: 43, description: "Range that nodes' pod CIDRs are carved from" },
      nodeMaskSize: {
        type: "integer",
        minimum: 1,
        maximum: 126,
        description: "Length of each node's pod CIDR; without it that of the configuration",
      },
      nodeSelector: SELECTOR,
      disabled: { type: "boolean", description: "No node is given CIDRs of it; those that were given stay" },
      reserved: {
        type: "array",
        maxItems: 256,
        items: { type: "string", maxLength: 91 },
        description: "Addresses that no pod gets: addresses, CIDRs or FIRST-LAST",
      },
    },
  },
  LoadBalancerPool: {
    type: "object",
    ...KEEP,
    required: ["addresses"],
    properties: {
      addresses: {
        type: "array",
        minItems: 1,
        maxItems: 256,
        items: { type: "string", maxLength: 91 },
        description:
          "Prefixes, ranges and single addresses, as 192.0.2.0/28 or 192.0.2.10-192.0.2.19; of both families",
      },
      disabled: { type: "boolean", description: "Gives no new addresses; those that it gave stay" },
      automatic: {
        type: "boolean",
        default: true,
        description: "Serves services that ask for no pool and no address; else only those that ask for it",
      },
      serviceSelector: {
        ...SELECTOR,
        description:
          "Services that it serves; io.kubernetes.service.namespace and io.kubernetes.service.name count as labels",
      },
    },
  },
};

const OWN_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  ClusterConfiguration: [],
  NodeConfiguration: [],
  IPPool: [column("CIDR", ".spec.cidr"), column("Disabled", ".spec.disabled", "boolean")],
};

/** A definition of the kind. @param served versions that say the same; the first is the one that is stored */
function definition(kind: TableKind, group: string, served: readonly string[], plural: string): object {
  // Cilium's policies may have a list of specifications instead.
  const hasSpecs = group === "cilium.io" && kind.kind.endsWith("Policy");
  const isProtected = group.endsWith(".k8s.io");
  const short = SHORT_NAMES[`${group}/${kind.kind}`];
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/part-of": "twill" },
      // The API server wants a word on who approved of kinds in groups of Kubernetes: these schemas are Twill's.
      ...(isProtected && {
        annotations: {
          "api-approved.kubernetes.io": "unapproved, Twill's definition of a kind that the cluster lacks",
        },
      }),
    },
    spec: {
      group,
      scope: kind.isNamespaced ? "Namespaced" : "Cluster",
      names: {
        plural,
        singular: kind.kind.toLowerCase(),
        ...(short === undefined ? {} : { shortNames: short }),
        kind: kind.kind,
        listKind: `${kind.kind}List`,
      },
      versions: served.map((name, i) => ({
        name,
        served: true,
        storage: i === 0,
        subresources: { status: {} },
        additionalPrinterColumns: columnsOf(kind.kind),
        schema: {
          openAPIV3Schema: {
            type: "object",
            ...KEEP,
            ...(hasSpecs ? {} : { required: ["spec"] }),
            properties: {
              spec: (group === "twill.dev" ? OWN_SPECS[kind.kind] : undefined) ?? { type: "object", ...KEEP },
              ...(hasSpecs && { specs: { type: "array", items: { type: "object", ...KEEP } } }),
              status: STATUS,
            },
          },
        },
      })),
    },
  };
}

/** The definitions of one group. */
export function definitionsOf(group: string): object[] {
  return TABLE_KINDS.flatMap((kind) => {
    const own = kind.collections.filter((c) => c.apiVersion.startsWith(`${group}/`));
    const [first] = own;
    if (first === undefined) return [];
    const versions = own.map((c) => c.apiVersion.slice(group.length + 1));
    return [definition(kind, group, versions, first.path.slice(first.path.lastIndexOf("/") + 1))];
  });
}

const HEAD = "# Written by tools/crds.ts from src/cluster/tables.ts: change those.\n";

/** Files of `install/crds/` by name, each with the definitions of one API group. */
export function crdFiles(): ReadonlyMap<string, string> {
  return new Map(
    GROUPS.map((group) => [
      `${group}.yaml`,
      HEAD +
        definitionsOf(group)
          .map((d) => `---\n${stringify(d, { lineWidth: 0, aliasDuplicateObjects: false })}`)
          .join(""),
    ]),
  );
}

/** Where the files are. */
export const CRD_FOLDER: string = join(repoRoot, "install/crds");

if (argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of crdFiles()) writeFileSync(join(CRD_FOLDER, name), text);

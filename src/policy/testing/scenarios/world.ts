/** What a cluster's objects say, by both evaluators: read literally, and compiled from the rules that an agent makes. */

import { formatIssues, type Issue } from "../../../base/issue.ts";
import type { Result } from "../../../base/result.ts";
import { createInterner, type Interner } from "../../../model/intern.ts";
import { type Namespace, parseNamespace } from "../../../model/namespace.ts";
import { type Node, parseNode } from "../../../model/node.ts";
import { type Pod, parsePod } from "../../../model/pod.ts";
import {
  parseAdminNetworkPolicy,
  parseBaselineAdminNetworkPolicy,
} from "../../../model/policy/admin-network-policy.ts";
import {
  parseCalicoTier,
  parseGlobalNetworkSet,
  parseNetworkSet,
  parseStagedKubernetesNetworkPolicy,
} from "../../../model/policy/calico-objects.ts";
import {
  parseCalicoNetworkPolicy,
  parseGlobalNetworkPolicy,
  parseStagedGlobalNetworkPolicy,
  parseStagedNetworkPolicy,
} from "../../../model/policy/calico-policy.ts";
import {
  parseCiliumCidrGroup,
  parseCiliumClusterwideNetworkPolicy,
  parseCiliumNetworkPolicy,
} from "../../../model/policy/cilium-policy.ts";
import { parseClusterNetworkPolicy } from "../../../model/policy/cluster-network-policy.ts";
import { parseNetworkPolicy } from "../../../model/policy/network-policy.ts";
import { createRuleReader } from "../../from-objects.ts";
import { ciliumSays } from "../../literal/cilium.ts";
import { decide } from "../../literal/decide.ts";
import type { Flow, LiteralCluster } from "../../literal/flow.ts";
import { dialects } from "../../literal/tiers.ts";
import { compileNode, judgeAcross } from "../compiled.ts";
import { worldObjects } from "../world-tables.ts";

const interner = createInterner();

/** Objects of one cluster by group and kind. */
function createShelf(objects: readonly object[]) {
  type Head = { readonly apiVersion: string; readonly kind: string };
  const kindOf = (o: object) => {
    const { apiVersion, kind } = o as Head;
    return `${apiVersion.includes("/") ? apiVersion.split("/")[0] : ""}/${kind}`;
  };
  const byKind = Map.groupBy(objects, kindOf);
  return {
    take<T>(kind: string, parse: (value: unknown, i: Interner) => Result<T, readonly Issue[]>): T[] {
      const found = byKind.get(kind) ?? [];
      byKind.delete(kind);
      return found.map((object) => {
        const result = parse(object, interner);
        if (!result.ok) throw new Error(`Refused ${JSON.stringify(object)}: ${formatIssues(result.error)}`);
        return result.value;
      });
    },
    /** @throws Error when something has not been taken */
    close(): void {
      if (byKind.size > 0) throw new Error(`Nobody reads objects of ${[...byKind.keys()].join(", ")}`);
    },
  };
}

/** What both say of a flow: whether both ends let it through. */
export interface Opinions {
  readonly specification: boolean;
  readonly tables: boolean;
}

const numbered = <Row>(rows: readonly Row[]): ReadonlyMap<string, Row> => new Map(rows.map((r, i) => [String(i), r]));

function readCalico(shelf: ReturnType<typeof createShelf>) {
  const group = "projectcalico.org";
  return {
    tiers: shelf.take(`${group}/Tier`, parseCalicoTier),
    ownSets: shelf.take(`${group}/NetworkSet`, parseNetworkSet),
    globalSets: shelf.take(`${group}/GlobalNetworkSet`, parseGlobalNetworkSet),
    own: shelf.take(`${group}/NetworkPolicy`, parseCalicoNetworkPolicy),
    global: shelf.take(`${group}/GlobalNetworkPolicy`, parseGlobalNetworkPolicy),
    staged: shelf.take(`${group}/StagedNetworkPolicy`, parseStagedNetworkPolicy),
    stagedGlobal: shelf.take(`${group}/StagedGlobalNetworkPolicy`, parseStagedGlobalNetworkPolicy),
    stagedKubernetes: shelf.take(`${group}/StagedKubernetesNetworkPolicy`, parseStagedKubernetesNetworkPolicy),
  };
}

/** Everything of the cluster, as an API gives it: its namespaces, nodes and pods among it. */
export function scenarioWorld(objects: readonly object[]): (flow: Flow) => Opinions {
  const shelf = createShelf(objects);
  const people = {
    namespaces: shelf.take<Namespace>("/Namespace", parseNamespace),
    nodes: shelf.take<Node>("/Node", parseNode),
    pods: shelf.take<Pod>("/Pod", parsePod),
  };
  const admin = "policy.networking.k8s.io";
  const cluster: LiteralCluster = {
    ...people,
    networkPolicies: shelf.take("networking.k8s.io/NetworkPolicy", parseNetworkPolicy),
    clusterPolicies: [
      ...shelf.take(`${admin}/ClusterNetworkPolicy`, parseClusterNetworkPolicy),
      ...shelf.take(`${admin}/AdminNetworkPolicy`, parseAdminNetworkPolicy),
      ...shelf.take(`${admin}/BaselineAdminNetworkPolicy`, parseBaselineAdminNetworkPolicy),
    ],
  };
  const calico = readCalico(shelf);
  const ciliumPolicies = [
    ...shelf.take("cilium.io/CiliumNetworkPolicy", parseCiliumNetworkPolicy),
    ...shelf.take("cilium.io/CiliumClusterwideNetworkPolicy", parseCiliumClusterwideNetworkPolicy),
  ];
  const cidrGroups = shelf.take("cilium.io/CiliumCIDRGroup", parseCiliumCidrGroup);
  shelf.close();
  const backends = () => [];
  const others = dialects({
    cluster,
    tiers: calico.tiers,
    policies: [...calico.own, ...calico.global],
    calico: {
      networkSets: [...calico.ownSets, ...calico.globalSets],
      serviceAccountLabels: () => new Map(),
      backends,
    },
    cilium: (flow, pod, direction) =>
      ciliumSays(cluster, { policies: ciliumPolicies, cidrGroups, services: [], backends }, flow, pod, direction),
  });
  const rules = createRuleReader().read(
    worldObjects({
      namespaces: new Map(people.namespaces.map((n) => [n.name, n])),
      networkPolicies: numbered(cluster.networkPolicies),
      clusterNetworkPolicies: numbered(cluster.clusterPolicies),
      calicoTiers: numbered(calico.tiers),
      networkSets: numbered(calico.ownSets),
      globalNetworkSets: numbered(calico.globalSets),
      calicoNetworkPolicies: numbered(calico.own),
      globalNetworkPolicies: numbered(calico.global),
      stagedNetworkPolicies: numbered(calico.staged),
      stagedGlobalNetworkPolicies: numbered(calico.stagedGlobal),
      stagedKubernetesNetworkPolicies: numbered(calico.stagedKubernetes),
      ciliumNetworkPolicies: numbered(ciliumPolicies),
      ciliumCidrGroups: numbered(cidrGroups),
    }),
  );
  const nodes = cluster.nodes.map((n) => compileNode(cluster, n.name, rules));
  return (flow) => {
    const read = decide(cluster, flow, others);
    const found = judgeAcross(nodes, flow);
    return {
      specification: read.egress && read.ingress,
      tables: (found.egress?.isAllowed ?? true) && (found.ingress?.isAllowed ?? true),
    };
  };
}

const PORTS = { TCP: 6, UDP: 17 } as const;

/** Protocol and port of a kind of traffic, as flows have them. */
export function trafficOf(traffic: string, family: 4 | 6): Pick<Flow, "protocol" | "port"> {
  if (traffic === "ICMP") return family === 4 ? { protocol: 1, port: 8 << 8 } : { protocol: 58, port: 128 << 8 };
  const [port = "", protocol = ""] = traffic.split("/");
  return { protocol: PORTS[protocol as keyof typeof PORTS], port: Number(port) };
}

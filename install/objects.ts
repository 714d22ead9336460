/**
 * The objects that install Twill, written once: `install/twill.yaml` is these with the defaults of every value, the chart's
 * template is the same with the values left open. So the two cannot drift apart.
 */

import { VERSION } from "../src/base/version.ts";
import { groupOf, hasStatus, TABLE_KINDS, type TableKind } from "../src/cluster/tables.ts";
import { definitionsOf, OWN_GROUP } from "../tools/crds.ts";
import { HOME } from "./image/root.ts";
import { type ValuePlace, value, yamlText } from "./values.ts";

const NAMESPACE = "kube-system";
const NAME = "twill";
/** Chosen by the selector of a DaemonSet, which can never change. */
const SELECTOR = { "app.kubernetes.io/name": NAME };
const LABELS = { ...SELECTOR, "app.kubernetes.io/version": VERSION };

/** Port of `/healthz` and `/readyz` on the node's loopback; asked by the kubelet. */
const HEALTH_PORT = 9879;

/** How an agent is started, and with what in its environment: see decisions 62, 63, 86 and 97 on its heap. `bin/twill` has the same. */
export const AGENT_FLAGS = ["--max-semi-space-size=4", "--heap-growing-percent=30"] as const;
export const AGENT_ENVIRONMENT = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_TRIM_THRESHOLD_: "1048576",
} as const;

/** An object as YAML has it. */
export type Tree = string | number | boolean | ValuePlace | readonly Tree[] | { readonly [key: string]: Tree };

/** Plural names of the kinds, group by group. */
function pluralsOf(kinds: readonly TableKind[]): ReadonlyMap<string, ReadonlySet<string>> {
  const plurals = new Map<string, Set<string>>();
  for (const kind of kinds) {
    for (const { apiVersion, path } of kind.collections) {
      const group = groupOf(apiVersion);
      plurals.set(group, (plurals.get(group) ?? new Set()).add(path.slice(path.lastIndexOf("/") + 1)));
    }
  }
  return plurals;
}

/** Rules that let the agent follow every table that it knows. */
function readRules(): Tree[] {
  return [...pluralsOf(TABLE_KINDS)].map(([group, plurals]) => ({
    apiGroups: [group],
    resources: [...plurals],
    verbs: ["get", "list", "watch"],
  }));
}

/** Conditions of policies; Kubernetes' own NetworkPolicy has no status. */
function statusRules(): Tree[] {
  return [...pluralsOf(TABLE_KINDS.filter(hasStatus))].map(([group, plurals]) => ({
    apiGroups: [group],
    resources: [...plurals].map((p) => `${p}/status`),
    verbs: ["patch"],
  }));
}

function metadata(name: string, namespace?: string): { readonly [key: string]: Tree } {
  return { name, ...(namespace === undefined ? {} : { namespace }), labels: LABELS };
}

function access(): Tree[] {
  const subjects = [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }];
  const roleRef = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: NAME });
  const rbac = "rbac.authorization.k8s.io/v1";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: metadata(NAME, NAMESPACE) },
    {
      apiVersion: rbac,
      kind: "ClusterRole",
      metadata: metadata(NAME),
      rules: [
        ...readRules(),
        ...statusRules(),
        // Pod CIDRs, where Twill gives them; addresses of its own devices, as annotations.
        { apiGroups: [""], resources: ["nodes"], verbs: ["patch"] },
        // What Flannel or kubeadm say about the pods' network.
        {
          apiGroups: [""],
          resources: ["configmaps"],
          resourceNames: ["kube-flannel-cfg", "kubeadm-config"],
          verbs: ["get"],
        },
        // Addresses of load balancers.
        { apiGroups: [""], resources: ["services/status"], verbs: ["patch"] },
        // NetworkUnavailable.
        { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
      ],
    },
    {
      apiVersion: rbac,
      kind: "ClusterRoleBinding",
      metadata: metadata(NAME),
      roleRef: roleRef("ClusterRole"),
      subjects,
    },
    {
      apiVersion: rbac,
      kind: "Role",
      metadata: metadata(NAME, NAMESPACE),
      rules: [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] }],
    },
    { apiVersion: rbac, kind: "RoleBinding", metadata: metadata(NAME, NAMESPACE), roleRef: roleRef("Role"), subjects },
  ];
}

const hostPath = (name: string, path: string) => ({ name, hostPath: { path, type: "DirectoryOrCreate" } });

function daemonSet(): Tree {
  const image = { image: value("image"), imagePullPolicy: value("imagePullPolicy") };
  const probe = (path: string, periodSeconds: number, failureThreshold: number) => ({
    httpGet: { host: "127.0.0.1", port: HEALTH_PORT, path },
    periodSeconds,
    failureThreshold,
    timeoutSeconds: 5,
  });
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: metadata(NAME, NAMESPACE),
    spec: {
      selector: { matchLabels: SELECTOR },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: value("maxUnavailable") } },
      template: {
        metadata: { labels: LABELS },
        spec: {
          serviceAccountName: NAME,
          // The agent is what gives pods a network: it cannot wait for one, nor for a healthy node.
          hostNetwork: true,
          hostPID: true,
          dnsPolicy: "Default",
          priorityClassName: "system-node-critical",
          nodeSelector: { "kubernetes.io/os": "linux" },
          tolerations: [{ operator: "Exists" }],
          terminationGracePeriodSeconds: 10,
          initContainers: [
            {
              name: "install",
              ...image,
              command: [`${HOME}/bin/twill`, "install", "--host", "/host"],
              securityContext: { privileged: true },
              volumeMounts: [
                { name: "opt", mountPath: "/host/opt" },
                { name: "bpf", mountPath: "/host/sys/fs/bpf", mountPropagation: "Bidirectional" },
              ],
            },
          ],
          containers: [
            {
              name: "agent",
              ...image,
              command: [`${HOME}/bin/node`, ...AGENT_FLAGS, `${HOME}/src/cli/main.js`],
              args: ["agent", "--node", "$(NODE_NAME)", "--health-listen", `127.0.0.1:${HEALTH_PORT}`],
              env: [
                { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
                { name: "TWILL_API_SERVER", value: value("apiServer") },
                ...Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => ({ name, value })),
              ],
              securityContext: { privileged: true },
              resources: value("resources"),
              startupProbe: probe("/healthz", 2, 60),
              livenessProbe: probe("/healthz", 10, 6),
              readinessProbe: probe("/readyz", 2, 2),
              volumeMounts: [
                { name: "config", mountPath: "/etc/twill", readOnly: true },
                { name: "run", mountPath: "/run/twill" },
                { name: "netns", mountPath: "/run/netns", mountPropagation: "HostToContainer" },
                { name: "netns", mountPath: "/var/run/netns", mountPropagation: "HostToContainer" },
                { name: "bpf", mountPath: "/sys/fs/bpf", mountPropagation: "HostToContainer" },
                { name: "cni-bin", mountPath: "/opt/cni/bin" },
                { name: "cni-conf", mountPath: "/etc/cni/net.d" },
              ],
            },
          ],
          volumes: [
            { name: "config", configMap: { name: NAME } },
            hostPath("run", "/run/twill"),
            hostPath("netns", "/run/netns"),
            hostPath("bpf", "/sys/fs/bpf"),
            hostPath("opt", "/opt"),
            { name: "cni-bin", hostPath: { path: value("cniBinDir"), type: "DirectoryOrCreate" } },
            { name: "cni-conf", hostPath: { path: value("cniConfDir"), type: "DirectoryOrCreate" } },
          ],
        },
      },
    },
  };
}

/** In the order in which they are to be applied. */
export function installObjects(): Tree[] {
  return [
    // Kinds first: a cluster takes a moment to serve them.
    ...(definitionsOf(OWN_GROUP) as Tree[]),
    ...access(),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata(NAME, NAMESPACE),
      data: { "config.yaml": yamlText("config") },
    },
    daemonSet(),
  ];
}

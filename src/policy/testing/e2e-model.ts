/**
 * The world of Kubernetes' own NetworkPolicy tests: namespaces x, y, z with pods a, b, c, each of which serves ports 80
 * and 81 over TCP, UDP and SCTP under the names `serve-80-tcp` …; a case is policies and the reachability they make.
 */

/** Who reaches whom: `from`, `to` and whether. `*` stands for any namespace or pod; later lines win over earlier ones. */
export type Expectation = readonly [from: string, to: string, isReachable: boolean];

/** What is looked at after a step. Everything is reachable except what the expectations say. */
export interface Probe {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly port: 80 | 81;
  readonly expected: readonly Expectation[];
}

/** A state of the cluster. */
export interface E2eStep {
  /** All NetworkPolicies there are; `spec` of each. */
  readonly policies: readonly NamedPolicy[];
  /** Labels beyond the standing ones, of `namespace` or `namespace/pod`. */
  readonly labels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly probes: readonly Probe[];
}

/** A NetworkPolicy without what all of them have. */
export interface NamedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: object;
}

/** One case; its steps follow each other. */
export interface E2eCase {
  readonly number: number;
  readonly name: string;
  readonly steps: readonly E2eStep[];
}

export const E2E_NAMESPACES = ["x", "y", "z"] as const;
const E2E_PODS = ["a", "b", "c"] as const;

/** All nine, as `x/a`. */
export const E2E_ALL: readonly string[] = E2E_NAMESPACES.flatMap((n) => E2E_PODS.map((p) => `${n}/${p}`));

/** Last number of a pod's address in the test's networks: 10.244.1.0/24 and fd00:10:244:1::/64. */
function e2eHost(pod: string): number {
  return 10 + E2E_ALL.indexOf(pod);
}

/** Both addresses of a pod. */
export function e2eAddresses(pod: string): readonly [v4: string, v6: string] {
  return [`10.244.1.${e2eHost(pod)}`, `fd00:10:244:1::${e2eHost(pod).toString(16)}`];
}

function matches(pattern: string, pod: string): boolean {
  const [patternNamespace, patternPod] = pattern === "*" ? ["*", "*"] : pattern.split("/");
  const [namespace, name] = pod.split("/");
  return (patternNamespace === "*" || patternNamespace === namespace) && (patternPod === "*" || patternPod === name);
}

/** What a probe expects of one pair. A pod's way to itself is not judged, as Kubernetes' tests have it. */
export function expects(probe: Probe, from: string, to: string): boolean | undefined {
  if (from === to) return undefined;
  return probe.expected.findLast((e) => matches(e[0], from) && matches(e[1], to))?.[2] ?? true;
}

/** The objects of a step, as an API would give them. */
export function e2eObjects(step: E2eStep): { namespaces: object[]; pods: object[]; networkPolicies: object[] } {
  const extra = (key: string) => step.labels?.[key] ?? {};
  const ports = [80, 81].flatMap((port) =>
    (["TCP", "UDP", "SCTP"] as const).map((protocol) => ({
      name: `serve-${port}-${protocol.toLowerCase()}`,
      containerPort: port,
      protocol,
    })),
  );
  return {
    namespaces: E2E_NAMESPACES.map((name) => ({ metadata: { name, labels: { ns: name, ...extra(name) } } })),
    pods: E2E_ALL.map((key) => {
      const [namespace, name] = key.split("/");
      return {
        metadata: { namespace, name, labels: { pod: name, ...extra(key) } },
        spec: { nodeName: "node-1", containers: ports.map((p) => ({ name: p.name, ports: [p] })) },
        status: { phase: "Running", podIPs: e2eAddresses(key).map((ip) => ({ ip })) },
      };
    }),
    networkPolicies: step.policies.map(({ namespace, name, spec }) => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace, name },
      spec,
    })),
  };
}

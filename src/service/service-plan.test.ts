import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import type { PlannedFrontend } from "./service-plan.ts";
import { plan } from "./testing.ts";

function shown(f: PlannedFrontend): string {
  return `${f.kind} ${f.addr.text} ${f.port} ${f.inside} ${f.outside ?? "-"}${f.isRestricted ? " restricted" : ""}`;
}

function frontends(...args: Parameters<typeof plan>): string[] {
  return plan(...args).ports.flatMap((p) => p.frontends.map(shown));
}

const DUAL = { clusterIPs: ["10.96.0.1", "fd00:96::1"], ipFamilies: ["IPv4", "IPv6"] };
const PORT = { ports: [{ port: 80, nodePort: 30080 }] };
const INGRESS = { loadBalancer: { ingress: [{ ip: "192.0.2.9" }, { ip: "2001:db8::9" }] } };

const CASES: readonly (readonly [string, Parameters<typeof plan>, readonly string[]])[] = [
  ["ClusterIP", [{}, []], ["ClusterIP 10.96.0.1 80 cluster -"]],
  ["ClusterIP, Local", [{ internalTrafficPolicy: "Local" }, []], ["ClusterIP 10.96.0.1 80 local -"]],
  ["no address yet", [{ clusterIP: "" }, []], []],
  ["headless", [{ clusterIP: "None" }, []], []],
  ["ExternalName", [{ type: "ExternalName", externalName: "example.com" }, []], []],
  ["headless by its label", [{}, [], { metadata: { labels: { "service.kubernetes.io/headless": "" } } }], []],
  ["of another proxy", [{}, [], { metadata: { labels: { "service.kubernetes.io/service-proxy-name": "mesh" } } }], []],
  [
    "NodePort, dual stack",
    [{ ...DUAL, ...PORT, type: "NodePort" }, []],
    [
      "ClusterIP 10.96.0.1 80 cluster -",
      "NodePort 0.0.0.0 30080 cluster cluster",
      "ClusterIP fd00:96::1 80 cluster -",
      "NodePort :: 30080 cluster cluster",
    ],
  ],
  [
    "NodePort on chosen addresses",
    [{ ...PORT, type: "NodePort" }, [], { context: { nodePortAddrs: [addr("192.0.2.1"), addr("2001:db8::1")] } }],
    ["ClusterIP 10.96.0.1 80 cluster -", "NodePort 192.0.2.1 30080 cluster cluster"],
  ],
  ["a node port of what is not one", [{ ...PORT }, []], ["ClusterIP 10.96.0.1 80 cluster -"]],
  [
    "LoadBalancer, both policies Local: the inside is cut short everywhere but at the cluster IP",
    [
      {
        ...DUAL,
        ...PORT,
        type: "LoadBalancer",
        internalTrafficPolicy: "Local",
        externalTrafficPolicy: "Local",
        externalIPs: ["198.51.100.1", "192.0.2.9"],
        loadBalancerSourceRanges: ["203.0.113.0/24"],
      },
      [],
      { status: INGRESS },
    ],
    [
      "ClusterIP 10.96.0.1 80 local -",
      "LoadBalancer 192.0.2.9 80 cluster local restricted",
      "ExternalIP 198.51.100.1 80 cluster local",
      "NodePort 0.0.0.0 30080 cluster local",
      "ClusterIP fd00:96::1 80 local -",
      "LoadBalancer 2001:db8::9 80 cluster local restricted",
      "NodePort :: 30080 cluster local",
    ],
  ],
  [
    "LoadBalancer whose address a proxy serves",
    [
      { type: "LoadBalancer", allocateLoadBalancerNodePorts: false },
      [],
      { status: { loadBalancer: { ingress: [{ ip: "192.0.2.9", ipMode: "Proxy" }] } } },
    ],
    ["ClusterIP 10.96.0.1 80 cluster -"],
  ],
];

for (const [name, args, wanted] of CASES)
  test(`frontends: ${name}`, () => {
    assert.deepEqual(frontends(...args), wanted);
  });

test("an algorithm by annotation, and what is not understood is told", () => {
  const annotated = (text: string) => ({ metadata: { annotations: { "twill.dev/service-algorithm": text } } });
  assert.equal(plan({}, [], annotated("maglev")).ports[0]?.algorithm, "maglev");
  const wrong = plan({ trafficDistribution: "Near" }, [], annotated("ring"));
  assert.equal(wrong.ports[0]?.algorithm, "random");
  assert.equal(wrong.issues.length, 2);
  assert.equal(plan({ trafficDistribution: "PreferClose" }, []).issues.length, 0);
});

test("more endpoints than a Maglev table has places are chosen at random, which is told", () => {
  const endpoints = Array.from({ length: 8 }, (_, i) => `10.0.0.${i}`);
  const full = plan({}, endpoints, { context: { algorithm: "maglev", maglevSize: 7 } });
  assert.deepEqual([full.ports[0]?.algorithm, full.issues.length], ["random", 1]);
});

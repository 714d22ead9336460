import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterner } from "./intern.ts";
import { parseService } from "./service.ts";

function read(spec: object, more: { readonly metadata?: object; readonly status?: object } = {}) {
  const { metadata, ...rest } = more;
  return parseService({ metadata: { namespace: "x", name: "s", ...metadata }, spec, ...rest }, createInterner());
}

function service(...args: Parameters<typeof read>) {
  const parsed = read(...args);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

const texts = (list: readonly { readonly text: string }[]) => list.map((a) => a.text);

test("a service of two families with all that it can say", () => {
  const s = service(
    {
      type: "LoadBalancer",
      clusterIP: "10.96.0.1",
      clusterIPs: ["10.96.0.1", "fd00:10:96::1"],
      ipFamilies: ["IPv4", "IPv6"],
      ports: [
        { name: "web", port: 80, targetPort: "http", nodePort: 30080, appProtocol: "http" },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
      externalIPs: ["192.0.2.1"],
      loadBalancerIP: "192.0.2.9",
      loadBalancerClass: "twill.dev/l2",
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      internalTrafficPolicy: "Local",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 31000,
      loadBalancerSourceRanges: ["198.51.100.7/24", " 2001:db8::/32"],
      trafficDistribution: "PreferClose",
    },
    {
      metadata: {
        labels: { a: "b" },
        annotations: {
          "kubectl.kubernetes.io/last-applied-configuration": "{…}",
          "twill.dev/service-algorithm": "maglev",
        },
        creationTimestamp: "2026-01-01T00:00:00Z",
      },
      status: {
        loadBalancer: { ingress: [{ ip: "192.0.2.9" }, { ip: "192.0.2.10", ipMode: "Proxy" }, { hostname: "x" }] },
      },
    },
  );
  assert.deepEqual(texts(s.clusterIps), ["10.96.0.1", "fd00:10:96::1"]);
  assert.deepEqual(s.families, [4, 6]);
  assert.deepEqual(s.ports, [
    { name: "web", protocol: 6, port: 80, nodePort: 30080 },
    { name: "dns", protocol: 17, port: 53, nodePort: undefined },
  ]);
  assert.deepEqual(texts(s.externalIps), ["192.0.2.1"]);
  assert.deepEqual(texts(s.loadBalancerIps), ["192.0.2.9"]);
  assert.deepEqual(texts(s.sourceRanges), ["198.51.100.0/24", "2001:db8::/32"]);
  assert.deepEqual(
    [s.isInsideLocal, s.isOutsideLocal, s.affinitySeconds, s.healthCheckNodePort],
    [true, true, 60, 31000],
  );
  assert.deepEqual(
    [s.requestedIp?.text, s.loadBalancerClass, s.trafficDistribution],
    ["192.0.2.9", "twill.dev/l2", "PreferClose"],
  );
  assert.deepEqual([...s.annotations], [["twill.dev/service-algorithm", "maglev"]]);
  assert.equal(s.created, "2026-01-01T00:00:00Z");
});

test("what is not said is the API's default, and an old API's single address says the family", () => {
  const s = service({ clusterIP: "fd00::1", ports: [{ port: 80 }] });
  assert.deepEqual([s.type, s.isHeadless, s.families, s.affinitySeconds], ["ClusterIP", false, [6], undefined]);
  assert.deepEqual([s.isInsideLocal, s.isOutsideLocal, s.created], [false, false, ""]);
  assert.equal(service({ sessionAffinity: "ClientIP" }).affinitySeconds, 10_800);
});

test("a headless service has no address, and one that has got none yet neither", () => {
  const headless = service({ clusterIP: "None", clusterIPs: ["None"] });
  assert.deepEqual([headless.isHeadless, headless.clusterIps], [true, []]);
  const fresh = service({ clusterIP: "" });
  assert.deepEqual([fresh.isHeadless, fresh.clusterIps], [false, []]);
});

test("source ranges of the annotation count where the field says none", () => {
  const annotations = { "service.beta.kubernetes.io/load-balancer-source-ranges": "192.0.2.0/24, 2001:db8::/32" };
  assert.deepEqual(texts(service({}, { metadata: { annotations } }).sourceRanges), ["192.0.2.0/24", "2001:db8::/32"]);
  const field = service({ loadBalancerSourceRanges: ["10.0.0.0/8"] }, { metadata: { annotations } });
  assert.deepEqual(texts(field.sourceRanges), ["10.0.0.0/8"]);
});

test("what is wrong is told with its path", () => {
  const wrong = read(
    {
      type: "Clusterip",
      clusterIPs: ["10.96.0.256"],
      ipFamilies: ["IPv5"],
      ports: [{ port: 0 }, { protocol: "ICMP", port: 1, nodePort: 70_000 }, {}],
      externalIPs: ["x"],
      sessionAffinity: "Cookie",
      externalTrafficPolicy: "Near",
      loadBalancerSourceRanges: ["10.0.0.0/33"],
    },
    { status: { loadBalancer: { ingress: [{ ip: "y" }] } } },
  );
  assert.ok(!wrong.ok);
  assert.deepEqual(wrong.error.map((i) => i.path).sort(), [
    "spec.clusterIPs[0]",
    "spec.externalIPs[0]",
    "spec.externalTrafficPolicy",
    "spec.ipFamilies[0]",
    "spec.loadBalancerSourceRanges[0]",
    "spec.ports[0].port",
    "spec.ports[1].nodePort",
    "spec.ports[1].protocol",
    "spec.ports[2].port",
    "spec.sessionAffinity",
    "spec.type",
  ]);
  assert.ok(!parseService({ metadata: {} }, createInterner()).ok);
  assert.ok(!parseService({}, createInterner()).ok);
});

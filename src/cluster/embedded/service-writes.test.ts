/** Services as a real server takes them: what it refuses, gives, keeps, and what goes with a type. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ClusterError } from "../source.ts";
import { startTestApi, type TestApi } from "../testing.ts";
import { ApiError } from "./api-error.ts";
import type { Fields } from "./fields.ts";
import type { Json, KubeObject } from "./types.ts";

let t: TestApi;
before(async () => {
  t = await startTestApi();
});
after(() => t[Symbol.asyncDispose]());

const SERVICE = { apiVersion: "v1", kind: "Service" };
const PORTS = [{ port: 80 }];
let made = 0;

function create(spec: object, name = `s${made++}`): KubeObject {
  return t.api.objects.create({ ...SERVICE, metadata: { namespace: "default", name }, spec });
}

function patch(service: KubeObject, spec: Json): Fields {
  const { name } = service.metadata;
  return t.api.objects.patch({ ...SERVICE, namespace: "default", name }, { spec })["spec"];
}

/** What is refused, by field. */
function refused(write: () => unknown): string[] {
  try {
    write();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.httpStatus, 422, error.message);
    return (error.details?.causes ?? []).map((c) => `${c.field} ${c.reason.replace("FieldValue", "")}`);
  }
  assert.fail("it was accepted");
}

const two = (a: object, b: object) => ({
  ports: [
    { name: "a", ...a },
    { name: "b", ...b },
  ],
});
const LOCAL = { type: "LoadBalancer", externalTrafficPolicy: "Local", ports: PORTS };

const REFUSED: Readonly<Record<string, readonly [object, string]>> = {
  "one port twice": [two({ port: 80 }, { port: 80 }), "spec.ports[1] Duplicate"],
  "one name twice": [two({ port: 80 }, { port: 81, name: "a" }), "spec.ports[1].name Duplicate"],
  "a port's name that is none": [{ ports: [{ name: "A_B", port: 80 }] }, "spec.ports[0].name Invalid"],
  "a target beyond all ports": [{ ports: [{ port: 80, targetPort: 70_000 }] }, "spec.ports[0].targetPort Invalid"],
  "a target's name that is none": [{ ports: [{ port: 80, targetPort: "A_B" }] }, "spec.ports[0].targetPort Invalid"],
  "a node port of no node port range": [
    { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] },
    "spec.ports[0].nodePort Invalid",
  ],
  "a node port without its type": [{ ports: [{ port: 80, nodePort: 30_100 }] }, "spec.ports[0].nodePort Forbidden"],
  "one node port twice": [
    { type: "NodePort", ...two({ port: 80, nodePort: 30_200 }, { port: 81, nodePort: 30_200 }) },
    "spec.ports[1].nodePort Duplicate",
  ],
  "no cluster IP at all": [{ clusterIP: "300.1.1.1", ports: PORTS }, "spec.clusterIPs[0] Invalid"],
  "None for a node port": [{ type: "NodePort", clusterIP: "None", ports: PORTS }, "spec.clusterIPs[0] Invalid"],
  "two first addresses": [
    { clusterIP: "10.96.9.9", clusterIPs: ["10.96.9.8"], ports: PORTS },
    "spec.clusterIPs Invalid",
  ],
  "an address of another family": [
    { clusterIP: "10.96.9.9", ipFamilies: ["IPv6"], ports: PORTS },
    "spec.clusterIPs[0] Invalid",
  ],
  "one family twice": [{ ipFamilies: ["IPv4", "IPv4"], ports: PORTS }, "spec.ipFamilies[1] Duplicate"],
  "an unknown family": [{ ipFamilies: ["IPv5"], ports: PORTS }, "spec.ipFamilies[0] NotSupported"],
  "an unknown family policy": [{ ipFamilyPolicy: "Both", ports: PORTS }, "spec.ipFamilyPolicy NotSupported"],
  "two families under SingleStack": [
    { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4", "IPv6"], ports: PORTS },
    "spec.ipFamilyPolicy Invalid",
  ],
  "a name that is missing": [{ type: "ExternalName" }, "spec.externalName Required"],
  "a name that is none": [{ type: "ExternalName", externalName: "-a-" }, "spec.externalName Invalid"],
  "an external IP that is none": [{ externalIPs: ["a"], ports: PORTS }, "spec.externalIPs[0] Invalid"],
  "a loopback as external IP": [{ externalIPs: ["127.0.0.1"], ports: PORTS }, "spec.externalIPs[0] Invalid"],
  "ranges without a load balancer": [
    { loadBalancerSourceRanges: ["192.0.2.0/24"], ports: PORTS },
    "spec.loadBalancerSourceRanges Forbidden",
  ],
  "a range that is none": [
    { type: "LoadBalancer", loadBalancerSourceRanges: ["a"], ports: PORTS },
    "spec.loadBalancerSourceRanges[0] Invalid",
  ],
  "an outside policy of nobody outside": [
    { externalTrafficPolicy: "Local", ports: PORTS },
    "spec.externalTrafficPolicy Invalid",
  ],
  "an unknown inside policy": [
    { internalTrafficPolicy: "Near", ports: PORTS },
    "spec.internalTrafficPolicy NotSupported",
  ],
  "an unknown affinity": [{ sessionAffinity: "Cookie", ports: PORTS }, "spec.sessionAffinity NotSupported"],
  "an affinity of more than a day": [
    {
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } },
      ports: PORTS,
    },
    "spec.sessionAffinityConfig.clientIP.timeoutSeconds Invalid",
  ],
  "an unknown distribution": [{ trafficDistribution: "Far", ports: PORTS }, "spec.trafficDistribution NotSupported"],
  "a health check of every backend": [
    { type: "LoadBalancer", healthCheckNodePort: 30_300, ports: PORTS },
    "spec.healthCheckNodePort Invalid",
  ],
};

describe("refused with the field and the reason", () => {
  for (const [name, [spec, cause]] of Object.entries(REFUSED))
    test(name, () =>
      assert.deepEqual(
        refused(() => create(spec)),
        [cause],
      ),
    );

  test("an address or a node port that another service has; free again with it", () => {
    const first = create({ type: "NodePort", clusterIP: "10.96.77.7", ports: [{ port: 80, nodePort: 30_080 }] });
    assert.deepEqual(
      refused(() => create({ clusterIP: "10.96.77.7", ports: PORTS })),
      ["spec.clusterIPs Invalid"],
    );
    const port = { type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] };
    assert.deepEqual(
      refused(() => create(port)),
      ["spec.ports[0].nodePort Invalid"],
    );
    t.api.objects.delete({ ...SERVICE, namespace: "default", name: first.metadata.name });
    create({ clusterIP: "10.96.77.7", ...port });
  });

  test("another cluster IP or another first family", () => {
    const s = create({ ports: PORTS });
    assert.deepEqual(
      refused(() => patch(s, { clusterIP: "10.96.5.5", clusterIPs: ["10.96.5.5"] })),
      ["spec.clusterIPs[0] Invalid"],
    );
    const families = refused(() => patch(s, { ipFamilies: ["IPv6"] }));
    assert.ok(families.includes("spec.ipFamilies[0] Invalid"), `${families}`);
  });

  test("over HTTP as a Status with causes", async () => {
    const body = { metadata: { name: "http" }, spec: { ports: [{ port: 0 }] } };
    const path = "/api/v1/namespaces/default/services";
    const e = await t.connection.json({ method: "POST", path, body, signal: AbortSignal.timeout(60_000) }).then(
      () => assert.fail("it was accepted"),
      (error: unknown) => error,
    );
    assert.ok(e instanceof ClusterError && e.httpStatus === 422, String(e));
    assert.match(e.message, /spec\.ports\[0\]\.port/);
  });
});

describe("given and kept", () => {
  test("one node port for TCP and UDP", () => {
    const at = { port: 53, nodePort: 30_053 };
    create({ type: "NodePort", ...two({ ...at, protocol: "TCP" }, { ...at, protocol: "UDP" }) });
  });

  test("a port for health checks, as long as the policy is Local", () => {
    const s = create(LOCAL);
    const port = s["spec"].healthCheckNodePort;
    assert.ok(port >= 30_000 && port !== s["spec"].ports[0].nodePort, String(port));
    assert.equal(patch(s, { healthCheckNodePort: null })["healthCheckNodePort"], port);
    assert.equal(patch(s, { externalTrafficPolicy: "Cluster" })["healthCheckNodePort"], undefined);
  });

  test("an update that names neither addresses nor families keeps them", () => {
    const s = create({ ipFamilies: ["IPv6"], ports: PORTS });
    const metadata = { namespace: "default", name: s.metadata.name };
    const { spec } = t.api.objects.update({ ...SERVICE, metadata, spec: { ports: [{ port: 81 }] } }) as Fields;
    assert.deepEqual([spec.clusterIPs, spec.ipFamilies], [s["spec"].clusterIPs, ["IPv6"]]);
  });

  test("the second family comes and goes with the policy", () => {
    const s = create({ ports: PORTS });
    const both = patch(s, { ipFamilyPolicy: "PreferDualStack" });
    assert.deepEqual([both["ipFamilies"], both["clusterIPs"]?.length], [["IPv4", "IPv6"], 2]);
    const one = patch(s, { ipFamilyPolicy: "SingleStack" });
    assert.deepEqual([one["ipFamilies"], one["clusterIPs"]], [["IPv4"], s["spec"].clusterIPs]);
  });

  test("a headless service without a selector has both families", () => {
    const { ipFamilyPolicy, ipFamilies } = create({ clusterIP: "None" })["spec"];
    assert.deepEqual([ipFamilyPolicy, ipFamilies], ["RequireDualStack", ["IPv4", "IPv6"]]);
  });

  test("the time of an affinity goes with it", () => {
    const s = create({ sessionAffinity: "ClientIP", sessionAffinityConfig: {}, ports: PORTS });
    assert.equal(s["spec"].sessionAffinityConfig.clientIP.timeoutSeconds, 10_800);
    assert.equal(patch(s, { sessionAffinity: "None" })["sessionAffinityConfig"], undefined);
  });
});

describe("a change of type takes away what the new one has no use for", () => {
  test("a load balancer, and a node port, become a cluster IP alone", () => {
    for (const spec of [LOCAL, { type: "NodePort", ports: PORTS }]) {
      const s = create(spec);
      const { clusterIP, clusterIPs, ...now } = patch(s, { type: "ClusterIP" });
      assert.deepEqual([clusterIP, clusterIPs], [s["spec"].clusterIP, s["spec"].clusterIPs]);
      assert.deepEqual(now, {
        type: "ClusterIP",
        sessionAffinity: "None",
        internalTrafficPolicy: "Cluster",
        ipFamilies: ["IPv4"],
        ipFamilyPolicy: "SingleStack",
        ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      });
    }
  });

  test("a cluster IP becomes a name, and gets an address again", () => {
    const s = create({ ports: PORTS });
    const name = patch(s, { type: "ExternalName", externalName: "example.org" });
    assert.deepEqual([name["clusterIP"], name["clusterIPs"], name["ipFamilies"]], [undefined, undefined, undefined]);
    assert.match(patch(s, { type: "ClusterIP", externalName: null })["clusterIP"], /^10\.96\./);
  });
});

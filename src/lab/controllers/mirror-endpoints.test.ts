import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, startTestApi } from "../../cluster/testing.ts";
import { runEndpointSlices } from "./endpoint-slices.ts";
import { runMirrorEndpoints } from "./mirror-endpoints.ts";

const SLICES = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" };

test("Endpoints by hand become slices, follow changes, and go with the service's need of them", async () => {
  await using t = await startTestApi();
  const { objects } = t.api;
  const fail = (e: unknown) => assert.fail(String(e));
  const ends = [runEndpointSlices(objects, fail), runMirrorEndpoints(objects, fail)];
  const metadata = (name: string, more: object = {}) => ({ name, namespace: "default", ...more });
  const service = (name: string, spec: object) =>
    objects.create({
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(name),
      spec: { ports: [{ port: 80 }], ...spec },
    });
  const endpoints = (name: string, subsets: readonly object[], more: object = {}) =>
    objects.apply({ apiVersion: "v1", kind: "Endpoints", metadata: metadata(name, more), subsets });
  /** What stands behind a service, in words. */
  const behind = (name: string) =>
    objects
      .list({ ...SLICES, labelSelector: `kubernetes.io/service-name=${name}` })
      .flatMap((s) =>
        s["endpoints"].map(
          (e: { addresses: string[]; conditions: { ready: boolean } }) =>
            `${s["addressType"]} ${e.addresses[0]}:${s["ports"][0].port} ${e.conditions.ready}`,
        ),
      )
      .sort();
  const ports = [{ port: 8080 }];

  service("db", {});
  endpoints("db", [
    { addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }], notReadyAddresses: [{ ip: "192.0.2.2" }], ports },
  ]);
  const all = ["IPv4 192.0.2.1:8080 true", "IPv4 192.0.2.2:8080 false", "IPv6 2001:db8::1:8080 true"];
  await eventually("all of them", () => behind("db").join() === all.join());
  endpoints("db", [{ addresses: [{ ip: "192.0.2.3" }], ports }]);
  await eventually("another one", () => behind("db").join() === "IPv4 192.0.2.3:8080 true");

  endpoints("alone", [{ addresses: [{ ip: "192.0.2.4" }], ports }]);
  service("own", {});
  endpoints("own", [{ addresses: [{ ip: "192.0.2.5" }], ports }], {
    labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
  });
  service("late", {});
  endpoints("late", [{ addresses: [{ ip: "192.0.2.6" }], ports }]);
  await eventually("the last one is there", () => behind("late").length === 1);
  assert.deepEqual([behind("alone"), behind("own")], [[], []]);

  objects.patch(
    { apiVersion: "v1", kind: "Service", namespace: "default", name: "db" },
    { spec: { selector: { a: "b" } } },
  );
  await eventually("a selector finds them now", () => behind("db").length === 0);
  objects.delete({ apiVersion: "v1", kind: "Endpoints", namespace: "default", name: "late" });
  await eventually("they are gone", () => behind("late").length === 0);
  for (const end of ends) end();
});

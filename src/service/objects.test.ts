import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import { emptyTable } from "../store/table.ts";
import { ServiceObjects } from "./objects.ts";
import { service, slice } from "./testing.ts";

test("a change of a service or of a slice is the service's; what did not change is not looked at", () => {
  const objects = new ServiceObjects();
  let services = emptyTable<Service>().with([{ key: "shop/web", row: service("web") }]);
  let endpointSlices = emptyTable<EndpointSlice>();
  const take = () => [...objects.take({ services, endpointSlices })];
  assert.deepEqual(take(), ["shop/web"]);
  assert.deepEqual(take(), []);
  const put = (key: string, row: EndpointSlice | undefined) => {
    endpointSlices = endpointSlices.with([{ key, row }]);
  };
  put("shop/web-1", slice("web", ["10.0.0.1"]));
  assert.deepEqual(take(), ["shop/web"]);
  put("shop/web-2", { ...slice("web", ["10.0.0.2"]), name: "web-2" });
  take();
  assert.equal(objects.slices("shop/web").length, 2);
  put("shop/web-1", { ...slice("api", ["10.0.0.1"]), name: "web-1" });
  assert.deepEqual(take(), ["shop/web", "shop/api"], "a slice that changes hands");
  put("shop/web-2", undefined);
  assert.deepEqual(take(), ["shop/web"]);
  assert.deepEqual([objects.slices("shop/web").length, objects.slices("shop/api").length], [0, 1]);
  put("shop/api-2", { ...slice("api", ["10.0.0.3"]), name: "api-2", isUnproxied: true });
  assert.deepEqual([take(), objects.slices("shop/api").length], [["shop/api"], 1], "of another proxy");
  services = services.with([{ key: "shop/web", row: undefined }]);
  assert.deepEqual(take(), ["shop/web"]);
  assert.deepEqual([objects.size, [...objects.names()]], [0, []]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { CONFIG_KEY, hasServices } from "../../plan/map-rows.ts";
import { service, slice } from "../../service/testing.ts";
import { Host, started } from "../fake-host.ts";

test("programs look for services from the first one on, and a restarted agent writes nothing", () => {
  using host = new Host();
  const agent = started(host);
  const kernel = createFakeKernel({ machine: host.machine });
  const isLooking = () => hasServices(kernel.mapGet("config", CONFIG_KEY) ?? new Uint8Array());
  assert.ok(!isLooking());
  host.source.change({
    services: [{ key: "shop/web", row: service("web") }],
    endpointSlices: [{ key: "shop/web-1", row: slice("web", ["10.244.2.5"]) }],
  });
  assert.ok(!agent.applyServices());
  agent.run();
  assert.ok(isLooking());
  assert.deepEqual(
    ["services", "service_slots", "backends"].map((m) => kernel.mapCount(m)),
    [1, 1, 1],
  );
  const next = host.agent();
  next.run();
  assert.deepEqual([next.report?.writes, next.counts.drifted], [0, 0]);
  host.source.change({ services: [{ key: "shop/web", row: undefined }] });
  assert.ok(!next.applyServices());
  next.run();
  assert.ok(!isLooking());
});

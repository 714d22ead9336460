import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSource, testNode } from "../../cluster/fake-source.ts";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import { KernelError } from "../../kernel/kernel.ts";
import { service, slice } from "../../service/testing.ts";
import { NO_ANNOUNCEMENTS } from "../announce/announce-counts.ts";
import { finish } from "../compare/map-look.ts";
import type { Log } from "../log.ts";
import { ServiceControl } from "./service-control.ts";
import { serviceStatus } from "./service-status.ts";
import { shownServices } from "./testing.ts";

const NODE = testNode("here", ["192.0.2.1"], ["10.244.1.0/24"]);
const WEB = { services: [{ key: "shop/web", row: service("web") }] };
const BACKENDS = { endpointSlices: [{ key: "shop/web-1", row: slice("web", ["10.0.0.1"]) }] };
const SERVICES = {
  algorithm: "random",
  maglevTableSize: 251,
  forwarding: "snat",
  isAnnounced: true,
  nodePortAddresses: [],
  socketCgroup: "off",
} as const;

const quiet = () => undefined;
const SILENT: Log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet };

/** A kernel with programs, a cluster and controls over them. */
function node() {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const source = new FakeSource();
  const control = (isEnabled = true) =>
    new ServiceControl({
      kernel,
      source,
      log: SILENT,
      config: { nodeName: "here", services: { isEnabled, ...SERVICES } },
    });
  return { machine, kernel, source, control };
}

test("nothing is done until the cluster is known; then a change is in the kernel at once", () => {
  const { kernel, source, control } = node();
  const services = control();
  assert.ok(services.apply());
  assert.match(services.problem ?? "", /Waiting for the first answer of test about Service, EndpointSlice/);
  source.setNodes(NODE);
  assert.ok(services.apply());
  assert.equal(services.problem, undefined);
  source.change(WEB);
  assert.ok(!services.apply(), "the first service: programs have to be told to look");
  assert.ok(services.hasServices());
  source.change(BACKENDS);
  assert.ok(services.apply());
  assert.deepEqual(shownServices(kernel), ["10.96.0.1:80 > 10.0.0.1:8080"]);
  const status = serviceStatus(services, {
    kubeProxy: { mode: undefined, hasRules: false },
    announce: NO_ANNOUNCEMENTS,
    announceProblem: "EPERM",
  });
  assert.deepEqual(
    [status.isReady, status.services, status.frontends, status.backends, status.changes],
    [true, 1, 1, 1, 2],
  );
  assert.match(services.latency.exposition(), /twill_service_change_duration_seconds_count 2/);
  source.change({ services: [{ key: "shop/web", row: undefined }] });
  assert.ok(!services.apply(), "the last one");
});

test("settings that change take effect at once, also off and on again", () => {
  const { kernel, source } = node();
  let services = { isEnabled: true, ...SERVICES } as { isEnabled: boolean } & Omit<typeof SERVICES, "algorithm"> & {
      algorithm: "random" | "maglev";
    };
  const control = new ServiceControl({
    kernel,
    source,
    log: SILENT,
    config: {
      nodeName: "here",
      get services() {
        return services;
      },
    },
  });
  source.setNodes(NODE);
  source.change({ ...WEB, ...BACKENDS });
  control.run(false);
  assert.equal(kernel.mapCount("service_slots"), 1);
  services = { ...services, algorithm: "maglev" };
  control.run(false);
  assert.equal(kernel.mapCount("service_slots"), SERVICES.maglevTableSize);
  services = { ...services, isEnabled: false };
  control.run(false);
  assert.deepEqual([shownServices(kernel), control.hasServices(), control.problem], [[], false, undefined]);
  services = { ...services, isEnabled: true, algorithm: "random" };
  control.run(false);
  assert.deepEqual(shownServices(kernel), ["10.96.0.1:80 > 10.0.0.1:8080"]);
  assert.equal(kernel.mapCount("service_slots"), 1);
});

test("what an earlier agent wrote stays until the cluster is known", () => {
  const { kernel, source, control } = node();
  source.setNodes(NODE);
  source.change({ ...WEB, ...BACKENDS });
  control().apply();
  const deaf = new FakeSource();
  const next = new ServiceControl({
    kernel,
    source: deaf,
    log: SILENT,
    config: { nodeName: "here", services: { isEnabled: true, ...SERVICES } },
  });
  next.run(true);
  assert.deepEqual(shownServices(kernel), ["10.96.0.1:80 > 10.0.0.1:8080"]);
});

test("a full run counts what somebody changed, the first one not what an earlier agent left", () => {
  const { kernel, source, control } = node();
  source.setNodes(NODE);
  source.change({ ...WEB, ...BACKENDS });
  const services = control();
  assert.equal(services.run(true), undefined);
  kernel.deleteMapKeys("backends", [kernel.mapRows("backends")[0]?.key ?? new Uint8Array()]);
  assert.equal(services.run(false), undefined);
  const mending = services.run(true);
  assert.equal(mending && finish(mending), 1);
});

test("a failure is told, and made up for", () => {
  const { machine, kernel, source, control } = node();
  source.setNodes(NODE);
  source.change(WEB);
  const services = control();
  services.apply();
  source.change(BACKENDS);
  machine.failNext("putMapRows", new KernelError('write map "backends"', "ENOMEM", 12));
  assert.ok(!services.apply(), "a run has to follow");
  assert.match(services.problem ?? "", /ENOMEM/);
  services.run(false);
  assert.equal(services.problem, undefined);
  assert.deepEqual(shownServices(kernel), ["10.96.0.1:80 > 10.0.0.1:8080"]);
});

test("switched off: nothing is read, and what stands there goes", () => {
  const { kernel, source, control } = node();
  source.setNodes(NODE);
  source.change({ ...WEB, ...BACKENDS });
  control().apply();
  const off = control(false);
  off.run(true);
  assert.deepEqual([shownServices(kernel), off.hasServices(), off.problem], [[], false, undefined]);
  assert.ok(off.apply());
  assert.equal(kernel.mapCount("backends"), 0);
});

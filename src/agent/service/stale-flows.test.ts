import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeKernel } from "../../kernel/fake/fake-kernel.ts";
import { FakeMachine } from "../../kernel/fake/machine.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import {
  encodeBackend,
  encodeCtEntry,
  encodeServiceAffinity,
  encodeServiceAffinityKey,
  encodeServiceFlow,
  encodeServiceFlowKey,
  encodeServiceKey,
  encodeSockChoice,
  encodeSockChoiceKey,
  encodeSockReverse,
  encodeSockReverseKey,
  ServiceFlowFlag,
} from "../../net/gen/bpf-maps.ts";
import { conntrackKeys } from "../gc/service-flow.ts";
import { StaleFlows } from "./stale-flows.ts";

const CLUSTER_IP = addr("10.96.0.10").bytes;
const [UDP, TCP] = [17, 6];

function loaded(): Kernel {
  const kernel = createFakeKernel({});
  kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  return kernel;
}

/** A flow of a client to a service that a backend answers, as the programs write it, with its conntrack entry. */
function putFlow(kernel: Kernel, protocol: number, srcPort: number, backend: number, service = 7, flags = 0): void {
  const client = addr("10.244.1.5").bytes;
  const server = addr(`10.244.2.${backend}`).bytes;
  const flow = { service, backend, created: 1 };
  const out = {
    key: encodeServiceFlowKey({ src: client, dst: CLUSTER_IP, srcPort, dstPort: 53, protocol }),
    value: encodeServiceFlow({ ...flow, src: client, dst: server, srcPort, dstPort: 5353, flags }),
  };
  const back = {
    key: encodeServiceFlowKey({ src: server, dst: client, srcPort: 5353, dstPort: srcPort, protocol }),
    value: encodeServiceFlow({
      ...flow,
      src: CLUSTER_IP,
      dst: client,
      srcPort: 53,
      dstPort: srcPort,
      flags: flags | ServiceFlowFlag.flowReply,
    }),
  };
  kernel.putMapRows("service_flows", [out, back]);
  const [key] = conntrackKeys(out);
  const [, same] = conntrackKeys(back);
  assert.deepEqual(key, same, "both entries lead to one conntrack entry");
  const value = encodeCtEntry({
    lastSeen: 1,
    created: 1,
    revision: 1,
    originIdentity: 1,
    replyIdentity: 1,
    judged: 1,
    asked: 53,
    egressRule: 0,
    ingressRule: 0,
    flags: 0,
    originSeen: 16,
    replySeen: 16,
    tunnel: new Uint8Array(16),
  });
  kernel.putMapRows(protocol === TCP ? "ct_tcp" : "ct_other", [{ key, value }]);
}

function walk(stale: StaleFlows): number {
  stale.ask();
  for (let steps = 1; ; steps++) if (stale.step()) return steps;
}

const counts = (kernel: Kernel) => ["service_flows", "ct_other", "ct_tcp"].map((m) => kernel.mapCount(m));

test("UDP flows to who serves no longer go with their conntrack entry; all others stay", () => {
  const kernel = loaded();
  putFlow(kernel, UDP, 1000, 1);
  putFlow(kernel, UDP, 1001, 2);
  putFlow(kernel, TCP, 1002, 1);
  putFlow(kernel, UDP, 1003, 2, 8);
  const stale = new StaleFlows(kernel, {
    isServing: (service, backend) => service === 7 && backend === 2,
    isMember: () => true,
  });
  assert.ok(stale.step(), "nothing was asked for");
  walk(stale);
  assert.deepEqual(counts(kernel), [4, 1, 1]);
  assert.equal(stale.removed.get("service_flows"), 4);
});

test("affinities to who gets no new flows go", () => {
  const kernel = loaded();
  for (const backend of [1, 2]) {
    const key = encodeServiceAffinityKey({ client: addr(`10.244.1.${backend}`).bytes, service: 7 });
    kernel.putMapRows("service_affinity", [{ key, value: encodeServiceAffinity({ backend, lastSeen: 1 }) }]);
  }
  walk(new StaleFlows(kernel, { isServing: () => true, isMember: (_, backend) => backend === 2 }));
  assert.equal(kernel.mapCount("service_affinity"), 1);
});

test("choices of sockets without a connection go when their backend gets no new flows, or their service is gone", () => {
  const kernel = loaded();
  for (const [cookie, service, backend] of [
    [1n, 7, 1],
    [2n, 7, 2],
    [3n, 8, 2],
  ] as const) {
    const key = encodeSockChoiceKey({ cookie, addr: CLUSTER_IP, port: 53, protocol: UDP });
    kernel.putMapRows("sock_choices", [{ key, value: encodeSockChoice({ service, backend, index: 0, lastSeen: 1 }) }]);
  }
  const stale = new StaleFlows(kernel, { isServing: () => true, isMember: (s, b) => s === 7 && b === 2 });
  walk(stale);
  assert.equal(kernel.mapCount("sock_choices"), 1);
  assert.equal(stale.removed.get("sock_choices"), 2);
});

test("UDP sockets that are connected to who serves no longer end; all others stay", () => {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const cases = [
    { cookie: 1n, protocol: UDP, isConnected: 1, backend: 1 },
    { cookie: 2n, protocol: UDP, isConnected: 1, backend: 2 },
    { cookie: 3n, protocol: UDP, isConnected: 0, backend: 1 },
    { cookie: 4n, protocol: TCP, isConnected: 1, backend: 1 },
  ];
  for (const { cookie, protocol, isConnected, backend } of cases) {
    const key = encodeSockReverseKey({ cookie, addr: addr("10.244.2.7").bytes, port: 5353, protocol });
    const value = encodeSockReverse({ addr: CLUSTER_IP, port: 53, isConnected, service: 7, backend });
    kernel.putMapRows("sock_reverse", [{ key, value }]);
    machine.connectedSockets.add(cookie);
  }
  const stale = new StaleFlows(kernel, { isServing: (_, backend) => backend === 2, isMember: () => true });
  walk(stale);
  assert.deepEqual([...machine.connectedSockets], [2n, 3n, 4n]);
  assert.equal(kernel.mapCount("sock_reverse"), 3);
  assert.equal(stale.removed.get("sock_reverse"), 1);
});

test("of host ports: sockets whose port is not their pod's any more end; flows see to that by themselves", () => {
  const machine = new FakeMachine();
  const kernel = createFakeKernel({ machine });
  kernel.loadPrograms(new Uint8Array([1]), { pinDirectory: "/sys/fs/bpf/twill", maxEntries: new Map() });
  const [pod, successor] = [addr("10.244.2.7").bytes, addr("10.244.2.8").bytes];
  const node = addr("192.168.77.11").bytes;
  const open = (at: string, port: number) =>
    kernel.putMapRows("host_ports", [
      {
        key: encodeServiceKey({ addr: addr(at).bytes, port, protocol: UDP }),
        value: encodeBackend({ addr: pod, port: 5353, protocol: UDP }),
      },
    ]);
  open("0.0.0.0", 53);
  open("192.168.77.11", 54);
  const cases = [
    { cookie: 1n, port: 53, talksTo: pod },
    { cookie: 2n, port: 54, talksTo: pod },
    { cookie: 3n, port: 55, talksTo: pod },
    { cookie: 4n, port: 53, talksTo: successor },
  ];
  for (const { cookie, port, talksTo } of cases) {
    const key = encodeSockReverseKey({ cookie, addr: talksTo, port: 5353, protocol: UDP });
    const value = encodeSockReverse({ addr: node, port, isConnected: 1, service: 0, backend: 0 });
    kernel.putMapRows("sock_reverse", [{ key, value }]);
    machine.connectedSockets.add(cookie);
  }
  putFlow(kernel, UDP, 1000, 1, 0, ServiceFlowFlag.flowHostPort);
  walk(new StaleFlows(kernel, { isServing: () => false, isMember: () => false }));
  assert.deepEqual([...machine.connectedSockets], [1n, 2n]);
  assert.deepEqual(counts(kernel), [2, 1, 0]);
});

test("many flows are looked through page by page, and a new question begins again", () => {
  const kernel = loaded();
  for (let port = 0; port < 3000; port++) putFlow(kernel, UDP, port, 1 + (port % 2));
  const serving = new Set([1, 2]);
  const stale = new StaleFlows(kernel, { isServing: (_, b) => serving.has(b), isMember: () => true });
  stale.ask();
  assert.ok(!stale.step());
  serving.delete(1);
  assert.ok(walk(stale) > 3);
  assert.equal(kernel.mapCount("service_flows"), 3000);
});

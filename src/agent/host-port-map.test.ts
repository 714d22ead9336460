import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { createFakeKernel } from "../kernel/fake/fake-kernel.ts";
import { addr, addrFromBytes } from "../net/addr.ts";
import { parseConfig } from "./config/config.ts";
import { Host, started } from "./fake-host.ts";
import { areHostPortsLookedFor, hostPortAt, tellHostPorts } from "./host-port-map.ts";

const WEB = { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } };
const kernelOf = (host: Host) => createFakeKernel({ machine: host.machine });

function leads(host: Host, at: string, port = 8080, protocol = 6): string | undefined {
  const found = hostPortAt(kernelOf(host), { addr: addr(at).bytes, port, protocol });
  return found === undefined ? undefined : `${addrFromBytes(found.addr).text} ${found.port}`;
}

test("a port is found at any address of its family, and nothing else is", () => {
  using host = new Host();
  host.addPod(started(host), "web", WEB);
  assert.equal(leads(host, "192.168.77.11"), "10.244.1.2 80");
  assert.equal(leads(host, "fd00:77::11"), "fd00:10:244:1::2 80");
  assert.equal(leads(host, "192.168.77.11", 8081), undefined);
  assert.equal(leads(host, "192.168.77.11", 8080, 17), undefined);
});

test("a successor finds all as it should be, and puts back what somebody takes", () => {
  using host = new Host();
  host.addPod(started(host), "web", WEB);
  const agent = host.agent();
  agent.run();
  assert.deepEqual([agent.report?.writes, agent.counts.drifted], [0, 0]);
  const kernel = kernelOf(host);
  kernel.deleteMapKeys(
    "host_ports",
    kernel.mapRows("host_ports").map((r) => r.key),
  );
  tellHostPorts(kernel, false);
  assert.ok(agent.hostPorts.hasNews());
  agent.run(true);
  assert.deepEqual([leads(host, "192.168.77.11"), areHostPortsLookedFor(kernel)], ["10.244.1.2 80", true]);
  assert.ok(!agent.hostPorts.hasNews());
  assert.ok(agent.counts.drifted >= 2);
});

test("the first pod with ports, and the end of the last, call for a run: sockets are seen although services are off", () => {
  using host = new Host();
  const agent = started(host);
  assert.ok(!agent.hostPorts.hasNews());
  const off = unwrap(
    parseConfig('{"cluster":"dir:/etc/twill/objects","services":{"enabled":false}}', {
      set: new Map(),
      defaultNodeName: "node-1",
    }),
  );
  const without = host.agent({ config: off });
  without.run(true);
  const hooks = () => without.plan?.tables.socketHooks.length ?? 0;
  assert.equal(hooks(), 0);
  const netns = host.addPod(without, "web", WEB);
  assert.ok(without.hostPorts.hasNews());
  without.run();
  assert.ok(hooks() > 0 || without.plan?.issues.some((i) => i.path === "services.socketCgroup"));
  assert.ok(!without.hostPorts.hasNews());
  host.machine.removeNetns(netns);
  without.run(true);
  assert.deepEqual([hooks(), areHostPortsLookedFor(kernelOf(host))], [0, false]);
});

test("ports of pods are told beside services, and are no issue", () => {
  using host = new Host();
  const agent = started(host);
  host.addPod(agent, "web", WEB);
  agent.run();
  assert.deepEqual(
    agent.hostPorts.reports().map((r) => `${r.namespace}/${r.name} ${r.type} ${r.ports.length}`),
    ["default/web HostPort 2"],
  );
  assert.deepEqual(agent.issues(), []);
});

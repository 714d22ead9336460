import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Attachment,
  addNetwork,
  CniFailure,
  checkNetwork,
  collectNetwork,
  deleteNetwork,
  type ExecPlugin,
  networkStatus,
  resultAddresses,
} from "./cni.ts";
import type { NetworkList } from "./conflist.ts";

interface Call {
  readonly what: string;
  readonly config: Record<string, unknown>;
  readonly env: Readonly<Record<string, string>>;
}

/** Plugins that answer by name: a result, or an error when `answers` says so. */
function runner(answers: Readonly<Record<string, { code?: number; stdout?: string; stderr?: string }>> = {}) {
  const calls: Call[] = [];
  const exec: ExecPlugin = async ({ command, type, env, stdin }) => {
    calls.push({ what: `${command} ${type}`, config: JSON.parse(stdin), env });
    const usual =
      command === "ADD"
        ? JSON.stringify({
            cniVersion: "1.1.0",
            by: type,
            ips: [{ address: "10.0.0.1/32" }, { address: "fd00::1/128" }],
          })
        : "";
    return { code: 0, stdout: usual, stderr: "", ...answers[`${command} ${type}`] };
  };
  return { calls, exec, whats: () => calls.map((c) => c.what) };
}

function network(extra: Partial<NetworkList> = {}): NetworkList {
  const plugins = [
    { type: "a", own: 1 },
    { type: "b", capabilities: { portMappings: true, bandwidth: false } },
  ];
  return { path: "x", name: "net", version: "1.1.0", disableCheck: false, disableGC: false, plugins, ...extra };
}

const attachment: Attachment = {
  containerId: "c1",
  netns: "/run/netns/x",
  ifname: "eth0",
  args: "IgnoreUnknown=1",
  capabilityArgs: { portMappings: [{ hostPort: 1 }], bandwidth: { ingressRate: 5 } },
};

test("addNetwork() runs plugins in order, hands results on, and gives each only the capabilities it declares", async () => {
  const r = runner();
  const result = await addNetwork(r.exec, network(), attachment);
  assert.deepEqual(r.whats(), ["ADD a", "ADD b"]);
  assert.equal(result["by"], "b");
  const [a, b] = r.calls;
  assert.deepEqual(a!.config, { type: "a", own: 1, cniVersion: "1.1.0", name: "net" });
  assert.deepEqual(b!.config["runtimeConfig"], { portMappings: [{ hostPort: 1 }] });
  assert.equal((b!.config["prevResult"] as { by: string }).by, "a");
  assert.equal("capabilities" in b!.config, false);
  assert.deepEqual(a!.env, {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "eth0",
    CNI_NETNS: "/run/netns/x",
    CNI_ARGS: "IgnoreUnknown=1",
  });
});

test("addNetwork() takes back what was made when a plugin refuses, and throws that refusal", async () => {
  const refusal = JSON.stringify({ cniVersion: "1.1.0", code: 11, msg: "later", details: "busy" });
  const r = runner({ "ADD b": { code: 1, stdout: refusal }, "DEL a": { code: 1 } });
  await assert.rejects(addNetwork(r.exec, network(), attachment), (e: CniFailure) => {
    assert.equal(e.code, 11);
    assert.equal(e.message, 'CNI ADD by "b" failed with code 11: later (busy)');
    return true;
  });
  assert.deepEqual(r.whats(), ["ADD a", "ADD b", "DEL b", "DEL a"]);
});

test("a plugin that dies without the specification's error is quoted", async () => {
  const r = runner({ "ADD a": { code: 139, stdout: "", stderr: "Segmentation fault" } });
  await assert.rejects(addNetwork(r.exec, network(), attachment), /status 139 \(Segmentation fault\)/);
  const none = runner({ "ADD a": { stdout: "not JSON" } });
  await assert.rejects(addNetwork(none.exec, network(), attachment), /its result is not a JSON object/);
});

test("deleteNetwork() goes in reverse with the result, and on after a failure", async () => {
  const r = runner({ "DEL b": { code: 1, stdout: '{"code":5,"msg":"no"}' } });
  await assert.rejects(deleteNetwork(r.exec, network(), attachment, { by: "b" }), CniFailure);
  assert.deepEqual(r.whats(), ["DEL b", "DEL a"]);
  assert.deepEqual(r.calls[1]!.config["prevResult"], { by: "b" });
});

test("CHECK, STATUS and GC run only where the configuration's version has them", async () => {
  const r = runner();
  const old = network({ version: "1.0.0", disableGC: true });
  await networkStatus(r.exec, old);
  await collectNetwork(r.exec, old, []);
  await checkNetwork(r.exec, network({ disableCheck: true }), attachment, {});
  assert.deepEqual(r.whats(), []);
  await networkStatus(r.exec, network());
  await checkNetwork(r.exec, network(), attachment, { by: "b" });
  await collectNetwork(r.exec, network(), [{ containerID: "c1", ifname: "eth0" }]);
  assert.deepEqual(r.whats(), ["STATUS a", "STATUS b", "CHECK a", "CHECK b", "GC a", "GC b"]);
  assert.deepEqual(r.calls[4]!.config["cni.dev/valid-attachments"], [{ containerID: "c1", ifname: "eth0" }]);
});

test("collectNetwork() asks all plugins and reports every failure", async () => {
  const r = runner({ "GC a": { code: 1 }, "GC b": { code: 1 } });
  await assert.rejects(collectNetwork(r.exec, network(), []), (e: AggregateError) => e.errors.length === 2);
});

test("resultAddresses() strips prefix lengths", () => {
  assert.deepEqual(resultAddresses({ ips: [{ address: "10.0.0.1/24" }, { address: "fd00::1/64" }, {}] }), [
    "10.0.0.1",
    "fd00::1",
  ]);
  assert.deepEqual(resultAddresses({}), []);
});

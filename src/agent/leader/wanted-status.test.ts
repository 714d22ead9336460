/** The status of the cluster's configuration, written by the duty that writes all status. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import { createKubeSource } from "../../cluster/kube/kube-source.ts";
import { createKubeStatusApi } from "../../cluster/kube/kube-status-api.ts";
import { eventually, startTestApi } from "../../cluster/testing.ts";
import { WAITING_ANNOTATION, waitingValue } from "../config/waiting.ts";
import type { Log } from "../log.ts";
import { pause } from "../pause.ts";
import { StatusDuty } from "./policy-status.ts";
import { wantedStatus } from "./wanted-status.ts";

const OWN = "twill.dev/v1alpha1";
const LOG = { info: () => {}, warn: () => {} } as unknown as Log;

async function open() {
  const t = await startTestApi();
  const gives = { now: true };
  for (const group of ["twill.dev", "crd.projectcalico.org"]) {
    const file = new URL(`../../../install/crds/${group}.yaml`, import.meta.url);
    for (const d of parseAllDocuments(readFileSync(file, "utf8"))) t.api.objects.create(d.toJS() as NewObject);
  }
  const source = createKubeSource({ config: t.config, userAgent: "x" });
  const ending = new AbortController();
  const leader = createKubeLeaderApi({ config: t.config, userAgent: "x", namespace: "kube-system", name: "l" });
  const api = createKubeStatusApi({ config: t.config, userAgent: "x" });
  const wanted = wantedStatus({
    source,
    policies: () => undefined,
    settings: () => ({ givesNodeCidrs: gives.now, nodeLengths: { 4: 24, 6: 64 } }),
  });
  const duty = new StatusDuty({
    leader,
    api,
    self: "a",
    log: LOG,
    reports: source.reports,
    wanted,
    nowMs: () => performance.now(),
    pause: (_ms, signal) => pause(5, signal),
    random: () => 0.5,
  });
  const done = Promise.all([source.run(ending.signal), duty.run(ending.signal)]);
  for (const name of ["n1", "n2", "n3"])
    t.api.objects.create({ apiVersion: "v1", kind: "Node", metadata: { name, labels: { at: name } } });
  return {
    t,
    gives,
    wanted,
    source,
    says: (kind: string, name: string, apiVersion = OWN) => {
      const object = t.api.objects.get({ apiVersion, kind, name });
      const status = object?.["status"] as {
        conditions?: { type: string; status: string; reason: string; message: string }[];
      };
      return (status?.conditions ?? []).map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`).join("\n");
    },
    tell: (name: string, value: string | null) =>
      t.api.objects.patch(
        { apiVersion: "v1", kind: "Node", name },
        { metadata: { annotations: { [WAITING_ANNOTATION]: value } } },
      ),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
      leader[Symbol.dispose]();
      api[Symbol.dispose]();
      await t[Symbol.asyncDispose]();
    },
  };
}

test("a configuration says whether it is understood, and in effect on all nodes", async () => {
  await using o = await open();
  const ref = { apiVersion: OWN, kind: "ClusterConfiguration", name: "default" };
  const says = () => o.says("ClusterConfiguration", "default");
  o.t.api.objects.create({ ...ref, metadata: { name: "default" }, spec: { mtu: 1400, maps: { nat: 4096 } } });
  await eventually("in effect", () => /Accepted=True Valid.*\nReady=True InEffect: .* 3 nodes/.test(says()));
  o.tell("n2", waitingValue({ restart: ["maps.nat", "health.listen"], refused: "" }) ?? null);
  await eventually("n2 waits for a restart", () =>
    /Ready=False RestartNeeded: health\.listen, maps\.nat: .* 1 of 3 nodes have not: n2; kubectl .*rollout restart/.test(
      says(),
    ),
  );
  o.tell("n2", null);
  await eventually("and has it", () => /Ready=True InEffect/.test(says()));
  o.tell("n3", waitingValue({ restart: [], refused: "mtu: no\nmore" }) ?? null);
  await eventually("n3 refuses it", () => /Ready=False Refused: 1 of 3 .*: n3; mtu: no/.test(says()));
  o.tell("n3", null);
  o.t.api.objects.patch(ref, { spec: { mtuu: 1, nodeName: "x" } });
  await eventually("what is wrong is said", () =>
    /Accepted=False Invalid: spec\.mtuu: Unknown key "mtuu": did you mean "mtu"\?; spec\.nodeName: .*\nReady=False Invalid/.test(
      says(),
    ),
  );
});

test("another name than default, a NodeConfiguration for nobody, and one for some", async () => {
  await using o = await open();
  const create = (kind: string, name: string, spec: object) =>
    o.t.api.objects.create({ apiVersion: OWN, kind, metadata: { name }, spec });
  create("ClusterConfiguration", "mine", {});
  create("NodeConfiguration", "nobody", { nodes: ["n9"], config: {} });
  create("NodeConfiguration", "some", {
    nodes: ["n1"],
    nodeSelector: { matchLabels: { at: "n2" } },
    config: { mtu: 1400 },
  });
  create("NodeConfiguration", "far", { nodes: ["n1"], config: { tunnel: { vni: 2 } } });
  await eventually("another name", () =>
    /Accepted=False Invalid: metadata\.name: "mine" has no effect/.test(o.says("ClusterConfiguration", "mine")),
  );
  await eventually("for nobody", () => /Ready=False NoNode/.test(o.says("NodeConfiguration", "nobody")));
  await eventually("for some", () => /Ready=True InEffect: .* 2 nodes/.test(o.says("NodeConfiguration", "some")));
  await eventually("too much", () =>
    /Accepted=False Invalid: spec\.tunnel\.vni: .*same on all nodes/.test(o.says("NodeConfiguration", "far")),
  );
  assert.equal(o.wanted(), o.wanted(), "the same for as long as it says the same");
});

test("an IPPool says how much of it is given, and why none is", async () => {
  await using o = await open();
  const create = (name: string, spec: object) =>
    o.t.api.objects.create({ apiVersion: OWN, kind: "IPPool", metadata: { name }, spec });
  const says = (name: string) => o.says("IPPool", name);
  create("all", { cidr: "10.1.0.0/23" });
  await eventually("it serves", () =>
    /Accepted=True Valid.*\nReady=True Serving: 0 of 2 blocks of \/24/.test(says("all")),
  );
  const node = (name: string) => ({ apiVersion: "v1", kind: "Node", name });
  o.t.api.objects.patch(node("n1"), { spec: { podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24"] } });
  await eventually("one is given", () => /Serving: 1 of 2/.test(says("all")));
  o.t.api.objects.patch(node("n2"), { spec: { podCIDR: "10.1.1.0/24", podCIDRs: ["10.1.1.0/24"] } });
  await eventually("all are", () => /Ready=False Exhausted: All 2 blocks/.test(says("all")));
  o.t.api.objects.patch({ apiVersion: OWN, kind: "IPPool", name: "all" }, { spec: { disabled: true } });
  await eventually("it is disabled", () => /Ready=False Disabled: .*2 nodes have .*keep them/.test(says("all")));
  create("nobody", { cidr: "10.3.0.0/16", nodeSelector: { matchLabels: { at: "n9" } } });
  await eventually("for nobody", () => /Ready=False NoNode/.test(says("nobody")));
  create("wrong", { cidr: "10.4.0.1/16", nodeMaskSize: 8 });
  await eventually("wrong", () =>
    /Accepted=False Invalid: spec\.cidr: "10\.4\.0\.1\/16" has host bits/.test(says("wrong")),
  );
  o.gives.now = false;
  create("later", { cidr: "10.5.0.0/16" });
  await eventually("nobody gives", () => /Ready=False NotAllocating: .*allocateNodeCIDRs: false/.test(says("later")));
});

test("an IPPool of Calico's says the same, and what of it is not followed", async () => {
  await using o = await open();
  const kind = { apiVersion: "crd.projectcalico.org/v1", kind: "IPPool" };
  const create = (name: string, spec: object) => o.t.api.objects.create({ ...kind, metadata: { name }, spec });
  const says = (name: string) => o.says("IPPool", name, kind.apiVersion);
  create("default-ipv4-ippool", { cidr: "10.1.0.0/16", blockSize: 26, vxlanMode: "Always", natOutgoing: true });
  await eventually("it serves", () =>
    /Accepted=True Valid.*\nReady=True Serving: 0 of 256 blocks of \/24/.test(says("default-ipv4-ippool")),
  );
  create("ipip", { cidr: "10.2.0.0/16", ipipMode: "Always", natOutgoing: false, nodeSelector: "at == 'n9'" });
  await eventually("in part", () =>
    /Accepted=True InPart: Not followed: spec\.ipipMode: .*; spec\.natOutgoing: .*\nReady=False NoNode/.test(
      says("ipip"),
    ),
  );
  create("services", { cidr: "192.0.2.0/28", allowedUses: ["LoadBalancer"] });
  await eventually("for services", () => /Accepted=True Valid.*\nReady=True LoadBalancer/.test(says("services")));
  create("wrong", { cidr: "10.3.0.0/16", nodeSelector: "at ==" });
  await eventually("wrong", () =>
    /Accepted=False Invalid: spec\.nodeSelector: "at ==" is not a selector.*\nReady=False Invalid/.test(says("wrong")),
  );
});

test("of two pools that overlap the older is used", async () => {
  await using o = await open();
  const create = (name: string, cidr: string) =>
    o.t.api.objects.create({ apiVersion: OWN, kind: "IPPool", metadata: { name }, spec: { cidr } });
  const older = create("z-older", "10.1.0.0/16");
  await eventually(
    "the clock has moved on",
    () => new Date().toISOString().slice(0, 19) > (older.metadata.creationTimestamp ?? "").slice(0, 19),
  );
  create("a-newer", "10.1.4.0/24");
  await eventually("the newer is refused", () =>
    /Accepted=False Overlap: "10\.1\.4\.0\/24" overlaps "10\.1\.0\.0\/16" of the older IPPool "z-older"/.test(
      o.says("IPPool", "a-newer"),
    ),
  );
  await eventually("the older serves", () => /Ready=True Serving/.test(o.says("IPPool", "z-older")));
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import { createKubeSource } from "../../cluster/kube/kube-source.ts";
import { createKubeStatusApi, mergeConditions } from "../../cluster/kube/kube-status-api.ts";
import type { ClusterSource } from "../../cluster/source.ts";
import { eventually, startTestApi, type TestApi } from "../../cluster/testing.ts";
import { createRuleReader } from "../../policy/from-objects.ts";
import type { Log } from "../log.ts";
import { conditionsFor } from "../policy/object-conditions.ts";
import { StatusDuty } from "./policy-status.ts";

const deadline = () => AbortSignal.timeout(60_000);

/** A cluster that has all definitions, and writers that follow it as agents do. */
async function openCluster(change: (d: NewObject) => NewObject = (d) => d) {
  const t = await startTestApi();
  const folder = new URL("../../../install/crds/", import.meta.url);
  for (const name of readdirSync(folder).filter((f) => f.endsWith(".yaml") && !f.startsWith("crd.")))
    for (const d of parseAllDocuments(readFileSync(new URL(name, folder), "utf8")))
      t.api.objects.create(change(d.toJS() as NewObject));
  const source = createKubeSource({ config: t.config, userAgent: "x" });
  const ending = new AbortController();
  const done = source.run(ending.signal);
  await source.whenSynced(deadline());
  return {
    t,
    source,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
      await t[Symbol.asyncDispose]();
    },
  };
}

function writer(t: TestApi, source: ClusterSource, self: string, wording = (text: string) => text) {
  const lines: string[] = [];
  const note = (fields: object, msg: string) => void lines.push(`${msg} ${JSON.stringify(fields)}`);
  const lease = { namespace: "kube-system", name: "twill-policy-status" };
  const leader = createKubeLeaderApi({ config: t.config, userAgent: "x", ...lease });
  const api = createKubeStatusApi({ config: t.config, userAgent: "x" });
  const reader = createRuleReader();
  let last: { readonly policies: unknown; readonly say: ReturnType<typeof conditionsFor> } | undefined;
  const duty = new StatusDuty({
    leader,
    api,
    self,
    log: { info: note, warn: note, error: note, debug: note } as unknown as Log,
    reports: source.reports,
    wanted: () => {
      const { policies } = reader.read(source.snapshot().tables);
      if (last?.policies !== policies) {
        const say = conditionsFor(policies, "default");
        last = { policies, say: (r) => say(r).map((c) => ({ ...c, message: wording(c.message) })) };
      }
      return last.say;
    },
    nowMs: () => performance.now(),
    pause: () => Promise.resolve(),
    random: () => 0.5,
  });
  return {
    duty,
    lines,
    [Symbol.dispose]() {
      leader[Symbol.dispose]();
      api[Symbol.dispose]();
    },
  };
}

const CILIUM = { apiVersion: "cilium.io/v2", kind: "CiliumNetworkPolicy" };
const cilium = (name: string, spec: object, annotations: object = {}): NewObject => ({
  ...CILIUM,
  metadata: { name, namespace: "default", annotations } as NewObject["metadata"],
  spec,
});

function conditions(t: TestApi, name: string, of: object = CILIUM): string[] {
  const object = t.api.objects.get({ ...(of as typeof CILIUM), namespace: "default", name });
  const list = (object?.["status"]?.conditions ?? []) as {
    type: string;
    status: string;
    reason: string;
    message: string;
    observedGeneration: number;
  }[];
  return list.map((c) => `${c.type}=${c.status} ${c.reason} ${c.observedGeneration}: ${c.message}`);
}

/** Resolves when the source has seen what was written, so that a look now is a look at it. */
async function settled(duty: StatusDuty): Promise<number> {
  let all = 0;
  await eventually("nothing is left to write", async () => {
    const done = await duty.once(deadline());
    all += done;
    return done === 0;
  });
  return all;
}

test("objects say whether they are accepted and enforced, with path and reason, until they are put right", async () => {
  await using c = await openCluster();
  using w = writer(c.t, c.source, "a");
  const { objects } = c.t.api;
  objects.create(cilium("good", { endpointSelector: {}, ingress: [{}] }));
  objects.create(cilium("wrong", { endpointSelector: {}, ingres: [{}] }));
  objects.create(cilium("dns", { endpointSelector: {}, egress: [{ toFQDNs: [{ matchName: "example.com" }] }] }));
  objects.create(cilium("tried", { endpointSelector: {} }, { "policy.twill.dev/mode": "audit" }));
  await eventually("they are seen", () => [...c.source.reports.all()].length === 4);
  assert.equal(await settled(w.duty), 4);
  assert.deepEqual(conditions(c.t, "good"), [
    "Accepted=True Valid 1: All of it is understood",
    "Enforced=True Enforced 1: All of it is enforced",
  ]);
  const [accepted, enforced] = conditions(c.t, "wrong");
  assert.match(
    accepted ?? "",
    /^Accepted=False Invalid 1: spec\.ingres: Unknown field "ingres": did you mean "ingress"\?$/,
  );
  assert.match(enforced ?? "", /^Enforced=False Invalid 1: Nodes that know an earlier valid version go on/);
  assert.match(conditions(c.t, "dns")[1] ?? "", /^Enforced=False PartlyEnforced 1: .*spec\.egress\[0\]: toFQDNs/);
  assert.match(conditions(c.t, "tried")[1] ?? "", /^Enforced=False Staged 1/);
  objects.patch({ ...CILIUM, namespace: "default", name: "wrong" }, { spec: { ingres: null, ingress: [{}] } });
  await eventually("it is read anew", () => c.source.health().problemCount === 0);
  assert.equal(await settled(w.duty), 1);
  assert.match(conditions(c.t, "wrong").join(), /Accepted=True Valid 2.*Enforced=True Enforced 2/);
});

test("what stands there already is not written, and its own writing wakes nobody", async () => {
  await using c = await openCluster();
  using w = writer(c.t, c.source, "a");
  c.t.api.objects.create(cilium("good", { endpointSelector: {} }));
  await eventually("it is seen", () => [...c.source.reports.all()].length === 1);
  assert.equal(await settled(w.duty), 1);
  const ref = { ...CILIUM, namespace: "default", name: "good" };
  await eventually("the condition is seen", () => [...c.source.reports.all()][0]?.conditions.length === 2);
  const before = c.t.api.objects.get(ref)?.metadata.resourceVersion;
  const { revision } = c.source.snapshot();
  // A fresh agent, that has written nothing yet.
  using other = writer(c.t, c.source, "b");
  assert.equal(await other.duty.once(deadline()), 0);
  assert.equal(await w.duty.once(deadline()), 0);
  assert.equal(c.t.api.objects.get(ref)?.metadata.resourceVersion, before);
  assert.equal(c.source.snapshot().revision, revision, "a status is no change of the policy");
});

test("of several writers each object is written by one, and two that word it differently do not take turns", async () => {
  await using c = await openCluster();
  for (let i = 0; i < 20; i++) c.t.api.objects.create(cilium(`p${i}`, { endpointSelector: {} }));
  await eventually("they are seen", () => [...c.source.reports.all()].length === 20);
  using a = writer(c.t, c.source, "a");
  using b = writer(c.t, c.source, "b");
  const together = await Promise.all([settled(a.duty), settled(b.duty)]);
  assert.equal(together[0] + together[1], 20);
  using other = writer(c.t, c.source, "c", (text) => `${text}!`);
  assert.equal(await settled(other.duty), 20, "it knows better, once");
  await eventually("that is seen", () =>
    [...c.source.reports.all()].every((r) => r.conditions.every((x) => x.message.endsWith("!"))),
  );
  const writes = (await settled(a.duty)) + (await settled(b.duty)) + (await settled(other.duty));
  assert.ok(writes <= 20, `each at most once more, not ${writes}`);
  await eventually("all is quiet", async () => {
    const more = [await a.duty.once(deadline()), await b.duty.once(deadline()), await other.duty.once(deadline())];
    return more.every((n) => n === 0);
  });
});

test("a kind whose definition has no status is left alone, and that is said once", async () => {
  await using c = await openCluster((d) => {
    for (const v of (d["spec"] as { versions: { subresources?: object }[] }).versions) delete v.subresources;
    return d;
  });
  using w = writer(c.t, c.source, "a");
  c.t.api.objects.create(cilium("p0", { endpointSelector: {} }));
  c.t.api.objects.create(cilium("p1", { endpointSelector: {} }));
  await eventually("they are seen", () => [...c.source.reports.all()].length === 2);
  assert.equal(await settled(w.duty), 0);
  assert.deepEqual(conditions(c.t, "p0"), []);
  assert.equal(w.lines.filter((l) => l.includes("has no status")).length, 1);
});

test("others' conditions stay, and the time of a transition stays where nothing turns", () => {
  const now = "2026-02-02T00:00:00Z";
  const foreign = { type: "Ready", status: "True" };
  const wanted = { type: "Accepted", status: "True", reason: "Valid", message: "m", observedGeneration: 2 };
  const old = { ...wanted, observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z" };
  assert.deepEqual(mergeConditions([foreign, old], [wanted], now), [
    foreign,
    { ...wanted, lastTransitionTime: "2026-01-01T00:00:00Z" },
  ]);
  const turned = mergeConditions([{ ...old, status: "False" }], [wanted], now);
  assert.deepEqual(turned, [{ ...wanted, lastTransitionTime: now }]);
  assert.equal(mergeConditions([{ ...wanted }], [wanted], now), undefined);
});

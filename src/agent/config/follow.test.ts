/** The cluster's configuration over restarts of an agent: asked at the start, followed, remembered. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { createKubeSource } from "../../cluster/kube/kube-source.ts";
import { eventually, startTestApi, type TestApi } from "../../cluster/testing.ts";
import type { Log } from "../log.ts";
import { ConfigFollower } from "./follow.ts";
import { learnConfig } from "./learn-config.ts";

const directory = mkdtempSync(join(tmpdir(), "twill-follow-"));
after(() => rmSync(directory, { recursive: true }));

const LOG = { info: () => {}, warn: () => {} } as unknown as Log;
const OWN = "twill.dev/v1alpha1";
const CLUSTER = { apiVersion: OWN, kind: "ClusterConfiguration", name: "default" };
const SOME = { apiVersion: OWN, kind: "NodeConfiguration", name: "some" };

async function openApi(): Promise<TestApi> {
  const t = await startTestApi();
  const file = new URL("../../../install/crds/twill.dev.yaml", import.meta.url);
  for (const d of parseAllDocuments(readFileSync(file, "utf8"))) t.api.objects.create(d.toJS() as NewObject);
  t.api.objects.create({ apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels: { rack: "a" } } });
  return t;
}

/** What an agent has of the configuration from its start to its end. */
async function start(t: TestApi, run: string) {
  const kubeconfig = join(directory, `${run}-kubeconfig`);
  const file = join(directory, `${run}.yaml`);
  writeFileSync(kubeconfig, t.api.kubeconfig(`https://127.0.0.1:${t.port}`));
  writeFileSync(file, `nodeName: n1\nkubeconfig: ${kubeconfig}\npaths: {run: ${join(directory, run)}}\n`);
  const { live, learned } = await learnConfig({ file, set: new Map(), env: {} }, {});
  const source = createKubeSource({ config: t.config, userAgent: "x" });
  const follower = new ConfigFollower({ source, live, log: LOG });
  source.onChange(() => void follower.look());
  const ending = new AbortController();
  const done = source.run(ending.signal);
  return {
    live,
    learned,
    synced: () => source.whenSynced(AbortSignal.timeout(60_000)),
    mtu: () => live.config.network.mtuBytes,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}

test("what is read at the start is asked at the start, by the node's name and labels, and remembered without an API", async () => {
  const t = await openApi();
  t.api.objects.create({ ...CLUSTER, metadata: { name: "default" }, spec: { mtu: 1400, maps: { nat: 4096 } } });
  const config = { maps: { nat: 8192 } };
  const selector = { matchLabels: { rack: "a" } };
  t.api.objects.create({ ...SOME, metadata: { name: "some" }, spec: { nodeSelector: selector, config } });
  {
    await using a = await start(t, "asked");
    assert.deepEqual([a.mtu(), a.live.config.mapSizes.get("nat"), a.learned.failure], [1400, 8192, undefined]);
    await a.synced();
    await eventually("it is remembered", () => a.live.layers.length === 2);
    assert.deepEqual(a.live.waits, []);
    t.api.objects.patch({ apiVersion: "v1", kind: "Node", name: "n1" }, { metadata: { labels: { rack: "b" } } });
    await eventually("another label: another value after the next start", () => a.live.waits.join() === "maps.nat");
    t.api.objects.patch({ apiVersion: "v1", kind: "Node", name: "n1" }, { metadata: { labels: { rack: "a" } } });
    await eventually("and as it was", () => a.live.waits.length === 0);
  }
  await t[Symbol.asyncDispose]();
  await using away = await start(t, "asked");
  assert.notEqual(away.learned.failure, undefined);
  assert.deepEqual([away.mtu(), away.live.config.mapSizes.get("nat")], [1400, 8192]);
});

const BROKEN: readonly (readonly [what: string, patch: Parameters<TestApi["api"]["objects"]["patch"]>[1]])[] = [
  ["a value that is wrong", { spec: { config: { mtu: 1400, tunel: {} } } }],
  ["a field that nobody knows", { spec: { confg: {} } }],
];
for (const [i, [what, patch]] of BROKEN.entries())
  test(`the last good version goes on over a restart: ${what}`, async () => {
    await using t = await openApi();
    t.api.objects.create({ ...SOME, metadata: { name: "some" }, spec: { nodes: ["n1"], config: { mtu: 1400 } } });
    {
      await using a = await start(t, `broken-${i}`);
      await a.synced();
      await eventually("it is in effect", () => a.mtu() === 1400 && a.live.layers.length === 1);
    }
    t.api.objects.patch(SOME, patch);
    await using b = await start(t, `broken-${i}`);
    assert.equal(b.mtu(), 1400, "from its start");
    await b.synced();
    t.api.objects.create({ ...CLUSTER, metadata: { name: "default" }, spec: { resyncSeconds: 20 } });
    await eventually("others are followed", () => b.live.config.resyncMs === 20_000);
    assert.equal(b.mtu(), 1400, "and on");
    t.api.objects.delete(SOME);
    await eventually("until the object is gone", () => b.mtu() === "auto");
  });

test("a cluster without the definitions is a cluster without configuration", async () => {
  await using t = await startTestApi();
  await using a = await start(t, "without");
  await a.synced();
  assert.deepEqual([a.learned.failure, a.live.layers, a.live.issues], [undefined, [], []]);
});

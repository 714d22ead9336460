/** What an agent writes onto its Node object, against an API. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createKubeSource } from "../cluster/kube/kube-source.ts";
import { ClusterError, type ClusterSource } from "../cluster/source.ts";
import { eventually, startTestApi } from "../cluster/testing.ts";
import type { Log } from "./log.ts";
import { OwnNode, type WantedNode } from "./own-node.ts";
import { pause } from "./pause.ts";

const TAINT = "twill.dev/agent-not-ready";
const REF = { apiVersion: "v1", kind: "Node", name: "n1" };
const OTHER_TAINT = { key: "others", effect: "NoExecute", timeAdded: "2026-01-01T00:00:00Z" };

interface StoredNode {
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function open(change: (source: ClusterSource) => ClusterSource = (s) => s) {
  const t = await startTestApi();
  const source = createKubeSource({ config: t.config, userAgent: "x", tables: ["nodes"] });
  const ending = new AbortController();
  const lines: string[] = [];
  const note = (fields: object, msg: string) => void lines.push(`${msg} ${JSON.stringify(fields)}`);
  const wanted: { -readonly [K in keyof WantedNode]: WantedNode[K] } = {
    annotations: {},
    isReady: false,
    startupTaint: TAINT,
  };
  const own = new OwnNode({
    source: change(source),
    nodeName: "n1",
    log: { info: note, warn: note } as unknown as Log,
    wanted: () => wanted,
    nowMs: () => performance.now(),
    pause,
  });
  source.onChange(() => own.look());
  const done = Promise.all([source.run(ending.signal), own.run(ending.signal)]);
  const node = () => t.api.objects.get(REF) as (StoredNode & ReturnType<typeof t.api.objects.get>) | undefined;
  return {
    t,
    own,
    wanted,
    lines,
    node,
    make: (taints: readonly object[] = []) =>
      t.api.objects.create({
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "n1" },
        spec: { taints },
        status: { conditions: [{ type: "NetworkUnavailable", status: "True", reason: "r", message: "m" }] },
      }),
    taints: () => (node()?.spec?.taints ?? []).map((x) => x.key),
    hasNetwork: () =>
      node()?.status?.conditions?.some((c) => c.type === "NetworkUnavailable" && c.status === "False") === true,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
      await t[Symbol.asyncDispose]();
    },
  };
}

test("a ready agent takes the start-up taint away and announces the network; a node that is made anew is told anew", async () => {
  await using o = await open();
  o.make([{ key: TAINT, effect: "NoSchedule" }, OTHER_TAINT, { key: TAINT, effect: "NoExecute" }]);
  await eventually("it is seen", () => o.node() !== undefined);
  o.own.look();
  assert.deepEqual(o.taints(), [TAINT, "others", TAINT], "an agent that is not ready leaves it");
  o.wanted.isReady = true;
  o.own.look();
  await eventually("the taint is gone", () => o.taints().join() === "others");
  assert.deepEqual(o.node()?.spec?.taints, [OTHER_TAINT], "others' taints are as they were");
  assert.ok(o.hasNetwork());
  o.t.api.objects.delete(REF);
  o.make([{ key: TAINT, effect: "NoSchedule" }]);
  await eventually("again", () => o.taints().length === 0 && o.hasNetwork());
  o.t.api.objects.patch(REF, { spec: { taints: [{ key: TAINT, effect: "NoSchedule" }] } });
  await eventually("and when somebody puts it back", () => o.taints().length === 0);
});

test("without a name of a taint none is taken", async () => {
  await using o = await open();
  o.wanted.isReady = true;
  o.wanted.startupTaint = undefined;
  o.make([{ key: TAINT, effect: "NoSchedule" }]);
  await eventually("the network is announced", () => o.hasNetwork());
  assert.deepEqual(o.taints(), [TAINT]);
});

test("annotations are set, changed, put back and taken away; others' stay", async () => {
  await using o = await open();
  o.wanted.annotations = { "twill.dev/a": "1", "twill.dev/b": undefined };
  o.t.api.objects.create({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1", annotations: { x: "y", "twill.dev/b": "old" } },
  });
  const now = () => JSON.stringify(Object.entries(o.node()?.metadata.annotations ?? {}).sort());
  await eventually("set", () => now() === '[["twill.dev/a","1"],["x","y"]]');
  o.t.api.objects.patch(REF, { metadata: { annotations: { "twill.dev/a": "2" } } });
  await eventually("put back", () => now() === '[["twill.dev/a","1"],["x","y"]]');
  o.wanted.annotations = { "twill.dev/a": undefined };
  o.own.look();
  await eventually("taken away", () => now() === '[["x","y"]]');
});

test("a write that fails is tried again, and said", async () => {
  let failures = 2;
  await using o = await open((source) => ({
    ...source,
    patchNodeConditions: (...args) => {
      if (failures-- > 0) return Promise.reject(new ClusterError("Cannot reach it", "Unreachable", 0));
      return source.patchNodeConditions(...args);
    },
  }));
  o.wanted.isReady = true;
  o.make();
  await eventually("announced in the end", () => o.hasNetwork());
  assert.equal(o.lines.filter((l) => l.startsWith("cannot write onto this node's object")).length, 2);
});

test("a directory that takes no writes is left alone, without a word", async () => {
  let tries = 0;
  await using o = await open((source) => ({
    ...source,
    patchNodeConditions: () => {
      tries++;
      return Promise.reject(new ClusterError("Cannot write to a directory", "ReadOnly", 0));
    },
  }));
  o.wanted.isReady = true;
  o.make();
  await eventually("it has been tried", () => tries > 0);
  o.own.look();
  assert.deepEqual([tries, o.lines], [1, []]);
});

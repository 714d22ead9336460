import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewObject } from "../../cluster/embedded/types.ts";
import { createKubeLeaderApi } from "../../cluster/kube/kube-leader-api.ts";
import type { LeaderApi } from "../../cluster/leader-api.ts";
import { startTestApi, type TestApi } from "../../cluster/testing.ts";
import { prefix } from "../../net/prefix.ts";
import type { Log } from "../log.ts";
import { LEASE_SECONDS, nextMove, observe } from "./election.ts";
import { CidrDuty, type CidrDutyParts } from "./node-cidrs.ts";

const POOLS = [
  { prefix: prefix("10.244.0.0/16"), nodeLength: 24 },
  { prefix: prefix("fd00:10:244::/48"), nodeLength: 64 },
];

const node = (name: string, podCIDRs?: readonly string[]): NewObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  ...(podCIDRs === undefined ? {} : { spec: { podCIDR: podCIDRs[0], podCIDRs } }),
});

/** Thirty nodes and six givers, on a machine that may be busy. */
const deadline = () => AbortSignal.timeout(120_000);
const lease = (version: string, holder: string, transitions = 0) => ({
  version,
  holder,
  transitions,
  durationSeconds: LEASE_SECONDS,
});

test("a Lease is taken when there is none, when it was given up, and when it has not changed for its time", () => {
  const taken = (transitions: number) => ({
    kind: "write",
    write: { holder: "me", durationSeconds: LEASE_SECONDS, transitions },
  });
  assert.deepEqual(nextMove("me", observe(undefined, undefined, 0), 0), taken(0));
  assert.deepEqual(nextMove("me", observe(undefined, lease("1", "", 4), 0), 0), taken(5));
  assert.deepEqual(
    nextMove("me", observe(undefined, lease("1", "me", 4), 0), 0),
    taken(4),
    "renewing is no transition",
  );
  let seen = observe(undefined, lease("1", "other"), 0);
  assert.deepEqual(nextMove("me", seen, 0), { kind: "wait" });
  seen = observe(seen, lease("1", "other"), LEASE_SECONDS * 1000);
  assert.deepEqual(nextMove("me", seen, LEASE_SECONDS * 1000), { kind: "wait" });
  assert.deepEqual(nextMove("me", seen, LEASE_SECONDS * 1000 + 1), taken(1));
  seen = observe(seen, lease("2", "other"), LEASE_SECONDS * 1000 + 1);
  assert.deepEqual(nextMove("me", seen, LEASE_SECONDS * 1000 + 2), { kind: "wait" }, "it was renewed meanwhile");
});

interface Giver {
  readonly duty: CidrDuty;
  readonly lines: string[];
}

function giver(t: TestApi, self: string, change: Partial<CidrDutyParts> = {}): Giver & { api: LeaderApi } {
  const lines: string[] = [];
  const note = (fields: object, msg: string) => void lines.push(`${msg} ${JSON.stringify(fields)}`);
  const api = createKubeLeaderApi({
    config: t.config,
    userAgent: "twill-test",
    namespace: "kube-system",
    name: "twill-node-cidrs",
  });
  const duty = new CidrDuty({
    api,
    self,
    pools: () => POOLS,
    log: { info: note, warn: note } as unknown as Log,
    isNeeded: () => true,
    nowMs: () => performance.now(),
    pause: () => Promise.resolve(),
    random: () => 0,
    ...change,
  });
  return { duty, lines, api };
}

const cidrsOf = (t: TestApi) =>
  Object.fromEntries(
    t.api.objects
      .list({ apiVersion: "v1", kind: "Node" })
      .map((n) => [n.metadata.name, (n["spec"] as { podCIDRs?: string[] } | undefined)?.podCIDRs?.join(" ") ?? ""]),
  );

test("nodes are given the lowest free share of each family; the Lease is given up", async () => {
  await using t = await startTestApi();
  for (const n of [node("a"), node("b", ["10.244.0.0/24", "fd00:10:244::/64"]), node("c")]) t.api.objects.create(n);
  const { duty, api, lines } = giver(t, "a");
  assert.equal(await duty.once(deadline()), 2);
  assert.deepEqual(cidrsOf(t), {
    a: "10.244.1.0/24 fd00:10:244:1::/64",
    b: "10.244.0.0/24 fd00:10:244::/64",
    c: "10.244.2.0/24 fd00:10:244:2::/64",
  });
  assert.equal((await api.readLease(deadline()))?.holder, "");
  assert.equal(lines.length, 2);
  assert.equal(await duty.once(deadline()), 0, "nothing is left to give");
  api[Symbol.dispose]();
});

test("nobody gives while another holds the Lease", async () => {
  await using t = await startTestApi();
  t.api.objects.create(node("a"));
  const { duty, api } = giver(t, "a");
  await api.writeLease({ holder: "b", durationSeconds: LEASE_SECONDS, transitions: 0 }, undefined, deadline());
  assert.equal(await duty.once(deadline()), 0);
  assert.deepEqual(cidrsOf(t), { a: "" });
  api[Symbol.dispose]();
});

test("a crowd of givers at once gives every node its own", async () => {
  await using t = await startTestApi();
  for (let i = 0; i < 30; i++) t.api.objects.create(node(`n${i}`));
  const givers = Array.from({ length: 6 }, (_, i) => giver(t, `n${i}`));
  const isDone = () => Object.values(cidrsOf(t)).every((c) => c !== "");
  await Promise.all(
    givers.map(async ({ duty }) => {
      while (!isDone()) await duty.once(deadline());
    }),
  );
  const all = Object.values(cidrsOf(t)).flatMap((c) => c.split(" "));
  assert.equal(new Set(all).size, 60);
  for (const { api } of givers) api[Symbol.dispose]();
});

test("exhaustion is told once, and who can be served is", async () => {
  await using t = await startTestApi();
  for (const name of ["a", "b", "c"]) t.api.objects.create(node(name));
  const { duty, api, lines } = giver(t, "a", { pools: () => [{ prefix: prefix("10.244.0.0/23"), nodeLength: 24 }] });
  assert.equal(await duty.once(deadline()), 2);
  await duty.once(deadline());
  const told = lines.filter((l) => l.startsWith("not every node"));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /No pod CIDR is left for node \\"c\\"/);
  api[Symbol.dispose]();
});

test("an API that fails is told and asked again; the end of the agent ends it", async () => {
  await using t = await startTestApi();
  const ending = new AbortController();
  let looks = 0;
  const { duty, lines, api } = giver(t, "a", {
    pause: async () => {
      if (++looks > 3) ending.abort();
    },
  });
  await t.api[Symbol.asyncDispose]();
  await duty.run(ending.signal);
  assert.equal(lines.filter((l) => l.startsWith("cannot give pod CIDRs")).length, 3);
  api[Symbol.dispose]();
});

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ClusterError, type ClusterSource } from "../source.ts";
import { eventually } from "../testing.ts";
import { createDirectorySource } from "./directory-source.ts";

let dir: string;
let source: ClusterSource;
let failures: string[];
let stop: AbortController;
let done: Promise<void>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "twill-directory-"));
});

afterEach(async () => {
  stop.abort();
  await done;
  await rm(dir, { recursive: true, force: true });
});

function start(path = dir): void {
  failures = [];
  // Changes must be noticed without waiting for the next look by the clock.
  source = createDirectorySource({
    path,
    rescanMs: 60_000,
    settleMs: 5,
    onFailure: (e, s) => failures.push(`${s}: ${(e as Error).message}`),
  });
  stop = new AbortController();
  done = source.run(stop.signal);
}

const write = async (name: string, text: string) => {
  await writeFile(join(dir, `.${name}.tmp`), text);
  await rename(join(dir, `.${name}.tmp`), join(dir, name));
};
const node = (name: string, cidr: string) =>
  `{apiVersion: v1, kind: Node, metadata: {name: ${name}}, spec: {podCIDRs: [${cidr}]}}\n`;
const cidrOf = (name: string) => source.snapshot().tables.nodes.get(name)?.podCidrs[0]?.text;
const synced = () => source.whenSynced(AbortSignal.timeout(60_000));

test("a policy under a version that nobody has is a problem that is named", async () => {
  await write(
    "a.yaml",
    "{apiVersion: networking.k8s.io/v2, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}\n",
  );
  start();
  await synced();
  assert.match(failures.join(), /^a\.yaml#1: apiVersion: "networking\.k8s\.io\/v2" has no kind "NetworkPolicy"/);
});

test("reads documents, lists and JSON, in folders too, and skips other kinds", async () => {
  await write(
    "a.yaml",
    `${node("n1", "10.0.1.0/24")}---\n# nothing\n---\n${node("n2", "10.0.2.0/24")}---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n`,
  );
  await mkdir(join(dir, "more"));
  await writeFile(
    join(dir, "more", "pods.json"),
    JSON.stringify({ apiVersion: "v1", kind: "PodList", items: [{ metadata: { name: "p" }, spec: {} }] }),
  );
  await writeFile(
    join(dir, "more", "list.yml"),
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: ns}}\n",
  );
  await writeFile(join(dir, "notes.txt"), "not read");
  start();
  await synced();
  const { nodes, pods, namespaces } = source.snapshot().tables;
  assert.deepEqual([...nodes.keys()].sort(), ["n1", "n2"]);
  assert.deepEqual([...pods.keys()], ["default/p"]);
  assert.deepEqual([...namespaces.keys()], ["ns"]);
  assert.deepEqual(failures, []);
  assert.equal(source.health().isLive, true);
});

test("a change, a new file and a removed one are noticed", async () => {
  await write("a.yaml", node("n1", "10.0.1.0/24"));
  start();
  await synced();
  let calls = 0;
  source.onChange(() => calls++);
  await write("a.yaml", node("n1", "10.0.9.0/24"));
  await eventually("the change", () => cidrOf("n1") === "10.0.9.0/24");
  await write("b.yaml", node("n2", "10.0.2.0/24"));
  await eventually("the new file", () => cidrOf("n2") === "10.0.2.0/24");
  await rm(join(dir, "a.yaml"));
  await eventually("the removal", () => source.snapshot().tables.nodes.size === 1);
  assert.ok(calls >= 3);
});

test("a file that breaks keeps what it said, and the fault names file and document", async () => {
  await write("a.yaml", `${node("n1", "10.0.1.0/24")}---\n${node("n2", "10.0.2.0/24")}`);
  start();
  await synced();
  await write("a.yaml", `${node("n1", "10.0.5.0/24")}---\n${node("n2", "10.0.2.1/24")}`);
  await eventually("the good document", () => cidrOf("n1") === "10.0.5.0/24");
  assert.equal(cidrOf("n2"), "10.0.2.0/24", "the last good state of the bad document");
  const [problem] = source.health().problems;
  assert.equal(problem?.subject, "a.yaml#2");
  assert.equal(problem?.issues[0]?.path, "spec.podCIDRs");
  assert.match(failures.join(), /a\.yaml#2: spec\.podCIDRs: "10\.0\.2\.1\/24" has host bits set/);

  await write("a.yaml", "{{{ not yaml");
  await eventually(
    "the file is broken",
    () => source.health().problems[0]?.issues[0]?.message.startsWith("Not YAML") === true,
  );
  assert.deepEqual([cidrOf("n1"), cidrOf("n2")], ["10.0.5.0/24", "10.0.2.0/24"]);

  await write("a.yaml", node("n1", "10.0.1.0/24"));
  await eventually("all is well", () => source.health().problemCount === 0 && cidrOf("n2") === undefined);
});

test("a kind that becomes a mistake keeps what the object said, and nothing else of the file", async () => {
  const policy = (kind: string) =>
    `{apiVersion: networking.k8s.io/v1, kind: ${kind}, metadata: {name: p}, spec: {podSelector: {}}}\n`;
  await write("a.yaml", `${policy("NetworkPolicy")}---\n${node("n1", "10.0.1.0/24")}`);
  start();
  await synced();
  await write("a.yaml", policy("NetworkPolcy"));
  await eventually("the other object is gone", () => cidrOf("n1") === undefined);
  assert.ok(source.snapshot().tables.networkPolicies.has("default/p"));
  await write("a.yaml", "");
  await eventually("the policy is gone", () => !source.snapshot().tables.networkPolicies.has("default/p"));
});

test("of two objects with one name the first file's counts, and the other is named", async () => {
  await write("a.yaml", node("n1", "10.0.1.0/24"));
  await write("b.yaml", node("n1", "10.0.2.0/24"));
  start();
  await synced();
  assert.equal(cidrOf("n1"), "10.0.1.0/24");
  assert.match(source.health().problems[0]?.issues[0]?.message ?? "", /stands in "a\.yaml#1" already/);
  await rm(join(dir, "a.yaml"));
  await eventually("the other counts", () => cidrOf("n1") === "10.0.2.0/24");
});

test("documents that are no objects are faults, not crashes", async () => {
  await write(
    "a.yaml",
    "5\n---\n[1]\n---\n{kind: Node}\n---\n{apiVersion: v1}\n---\n&a [*a]\n---\n{apiVersion: v1, kind: List, items: [7]}\n",
  );
  start();
  await synced();
  assert.ok(source.health().problemCount >= 5, JSON.stringify(source.health().problems));
});

test("a directory that is not there is waited for", async () => {
  const path = join(dir, "later");
  failures = [];
  source = createDirectorySource({ path, rescanMs: 10, settleMs: 1, onFailure: (e) => failures.push(String(e)) });
  stop = new AbortController();
  done = source.run(stop.signal);
  await eventually("the failure", () => source.health().lastError !== undefined);
  assert.match(source.health().lastError?.message ?? "", /Cannot read directory/);
  assert.equal(source.isSynced(), false);
  await mkdir(path);
  await synced();
  assert.equal(source.health().lastError, undefined);
});

test("a directory that another one takes the place of, or that comes back, is followed at once", async () => {
  const version = async (name: string, cidr: string) => {
    await mkdir(join(dir, name));
    await writeFile(join(dir, name, "a.yaml"), node("n1", cidr));
  };
  const point = async (name: string) => {
    await symlink(name, join(dir, "next"));
    await rename(join(dir, "next"), join(dir, "current"));
  };
  await version("v1", "10.0.1.0/24");
  await point("v1");
  start(join(dir, "current"));
  await synced();
  await version("v2", "10.0.2.0/24");
  await point("v2");
  await eventually("the other directory", () => cidrOf("n1") === "10.0.2.0/24");
  await writeFile(join(dir, "v2", "a.yaml"), node("n1", "10.0.3.0/24"));
  await eventually("a change in it", () => cidrOf("n1") === "10.0.3.0/24");
  await rm(join(dir, "current"));
  await eventually("that it is gone", () => source.health().lastError !== undefined);
  assert.equal(cidrOf("n1"), "10.0.3.0/24", "nothing changes meanwhile");
  await point("v1");
  await eventually("that it is back", () => cidrOf("n1") === "10.0.1.0/24");
});

test("a mounted ConfigMap is seen once, and its update as a whole", async () => {
  const version = async (name: string, text: string) => {
    await mkdir(join(dir, name));
    await writeFile(join(dir, name, "nodes.yaml"), text);
    await symlink(name, join(dir, "..data.tmp"));
    await rename(join(dir, "..data.tmp"), join(dir, "..data"));
  };
  await version("..v1", node("n1", "10.0.1.0/24"));
  await symlink("..data/nodes.yaml", join(dir, "nodes.yaml"));
  start();
  await synced();
  assert.equal(cidrOf("n1"), "10.0.1.0/24");
  assert.equal(source.health().problemCount, 0);
  await version("..v2", node("n1", "10.0.2.0/24"));
  await eventually("the update", () => cidrOf("n1") === "10.0.2.0/24");
});

test("nothing can be written to it", async () => {
  start();
  await synced();
  const signal = AbortSignal.timeout(1000);
  for (const run of [source.patchNodeAnnotations("n", {}, signal), source.patchNodeConditions("n", [], signal)])
    await assert.rejects(run, (e) => e instanceof ClusterError && e.code === "ReadOnly");
});

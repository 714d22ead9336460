import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroup2Mounts, cgroup2Root, controlGroupAt, rootControlGroup } from "./control-group.ts";
import { makeTestGroup, removeTestGroup } from "./test-groups.ts";

const HYBRID = `
24 1 0:22 / /proc rw,relatime shared:5 - proc proc rw
30 28 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
31 28 0:27 / /run/some\\040where/cgroup2 rw shared:9 master:2 - cgroup2 cgroup2 rw
32 28 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 none rw,nsdelegate
`;

test("cgroup2Mounts() finds the mount points, whatever stands before and behind the hyphen", () => {
  assert.deepEqual(cgroup2Mounts(HYBRID), ["/run/some where/cgroup2", "/sys/fs/cgroup/unified"]);
  assert.deepEqual(cgroup2Mounts("30 28 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"), ["/sys/fs/cgroup"]);
  assert.deepEqual(cgroup2Mounts(""), []);
});

test("cgroup2Root() is a group of a cgroup2, a usual one where there is one", (t) => {
  const root = cgroup2Root();
  if (root === undefined) return t.skip("no cgroup2 is mounted here");
  assert.ok(controlGroupAt(root).ok);
  const usual = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find((p) => controlGroupAt(p).ok);
  if (usual !== undefined) assert.equal(root, usual);
});

test("controlGroupAt() says what is wrong with a path", () => {
  assert.deepEqual(controlGroupAt("/proc"), { ok: false, error: '"/proc" is not on a cgroup2 file system' });
  assert.deepEqual(controlGroupAt("/nope"), { ok: false, error: 'Cannot look at "/nope": ENOENT' });
});

test("a group that is made anew is another one", (t) => {
  const path = makeTestGroup();
  if (path === undefined) return t.skip("no control groups can be made here");
  const first = controlGroupAt(path);
  assert.ok(first.ok && first.value.id > 0);
  removeTestGroup(path);
  assert.equal(controlGroupAt(path).ok, false);
});

test("rootControlGroup() refuses a first process of another network", () => {
  // Whatever this is, it is no network namespace of process 1.
  const found = rootControlGroup("/proc/self/ns/uts");
  assert.ok(!found.ok);
});

/** Behaviour of programs on the sockets of control groups. */

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { unwrap } from "../../base/result.ts";
import type { SocketHookRow } from "../../plan/rows.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelBench } from "./bench.ts";

type Hook = Pick<SocketHookRow, "hook" | "program">;
const CONNECT: Hook = { hook: "connect4", program: "sock_connect4" };
const RECEIVE: Hook = { hook: "recvmsg6", program: "sock_recvmsg6" };

function load(bench: KernelBench, kernel: Kernel, version: 0 | 1): void {
  kernel.loadPrograms(bench.objects[version], { pinDirectory: bench.pinDirectory, maxEntries: new Map() });
}

/** Hook, program, group, and whether the program is an older one. */
function shown(kernel: Kernel, ...groups: string[]): string[] {
  const paths = new Map(groups.map((path) => [unwrap(kernel.controlGroup(path)).id, path]));
  return kernel
    .socketHooks()
    .map((h) => `${h.hook} ${h.isCurrent ? h.program : "older"} ${paths.get(h.groupId) ?? "elsewhere"}`)
    .sort();
}

/** A bench with a group and its loaded programs; undefined where groups cannot be made. */
function prepare(open: () => KernelBench, t: TestContext) {
  const bench = open();
  const path = bench.addGroup();
  if (path === undefined) {
    bench[Symbol.dispose]();
    t.skip("no control groups can be made here");
    return undefined;
  }
  load(bench, bench.kernel, 0);
  const put = (hook: Hook, at = path, kernel: Kernel = bench.kernel) =>
    kernel.putSocketHook({ ...hook, group: unwrap(kernel.controlGroup(at)) });
  return { bench, path, put, [Symbol.dispose]: () => bench[Symbol.dispose]() };
}

/** Tests of socket hooks. */
export function socketHookTests(open: () => KernelBench): void {
  it("knows a group by its path, and says why there is none", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    assert.ok(unwrap(kernel.controlGroup(p.path)).id > 0);
    assert.match(JSON.stringify(kernel.controlGroup(`${p.path}/nope`)), /Cannot look at .*nope.*ENOENT/);
  });

  it("attaches, attaches again, and detaches", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    assert.deepEqual(kernel.socketHooks(), []);
    for (const hook of [CONNECT, RECEIVE, CONNECT]) p.put(hook);
    assert.deepEqual(shown(kernel, p.path), [`connect4 sock_connect4 ${p.path}`, `recvmsg6 sock_recvmsg6 ${p.path}`]);
    kernel.deleteSocketHook(CONNECT);
    kernel.deleteSocketHook(CONNECT);
    assert.deepEqual(shown(kernel, p.path), [`recvmsg6 sock_recvmsg6 ${p.path}`]);
  });

  it("refuses groups and programs that are not there", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    assert.throws(() => kernel.putSocketHook({ ...CONNECT, group: { path: `${p.path}/nope`, id: 1 } }), {
      code: "ENOENT",
    });
    assert.throws(() => p.put({ ...CONNECT, program: "nope" }), { code: "ENOENT" });
    assert.deepEqual(kernel.socketHooks(), []);
  });

  it("keeps what is attached over a restart, and switches hook by hook to a new version", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    for (const hook of [CONNECT, RECEIVE]) p.put(hook);
    p.bench.kernel[Symbol.dispose]();
    const later = p.bench.reopen();
    assert.deepEqual(shown(later, p.path), [`connect4 sock_connect4 ${p.path}`, `recvmsg6 sock_recvmsg6 ${p.path}`]);
    load(p.bench, later, 1);
    assert.deepEqual(shown(later, p.path), [`connect4 older ${p.path}`, `recvmsg6 older ${p.path}`]);
    p.put(RECEIVE, p.path, later);
    assert.deepEqual(shown(later, p.path), [`connect4 older ${p.path}`, `recvmsg6 sock_recvmsg6 ${p.path}`]);
  });

  it("moves to another group", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    const other = p.bench.addGroup() ?? "";
    p.put(CONNECT);
    p.put(CONNECT, other);
    assert.deepEqual(shown(kernel, p.path, other), [`connect4 sock_connect4 ${other}`]);
    kernel.deleteSocketHook(CONNECT);
    assert.deepEqual(kernel.socketHooks(), []);
  });

  it("takes a group that was made anew under its path for another one", (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    p.put(CONNECT);
    p.bench.removeGroup(p.path);
    p.bench.addGroup(p.path);
    assert.ok(!shown(kernel, p.path).includes(`connect4 sock_connect4 ${p.path}`));
    p.put(CONNECT);
    assert.deepEqual(shown(kernel, p.path), [`connect4 sock_connect4 ${p.path}`]);
  });

  it("forgets what was attached to a group that is gone", async (t) => {
    using p = prepare(open, t);
    if (p === undefined) return;
    const { kernel } = p.bench;
    p.put(CONNECT);
    p.bench.removeGroup(p.path);
    // Linux lets go of it in its own time.
    const endMs = performance.now() + 30_000;
    while (kernel.socketHooks().length > 0 && performance.now() < endMs) await setImmediate();
    assert.deepEqual(kernel.socketHooks(), []);
    kernel.deleteSocketHook(CONNECT);
    assert.deepEqual(kernel.socketHooks(), []);
  });
}

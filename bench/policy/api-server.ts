/**
 * The API of a synthetic cluster, in the node's own box: lists, watches, and events one at a time, each timed from the
 * moment that it is written to the watch until the kernel's maps say that policy has changed. Started by applied.ts:
 * `api-server.ts PORT SIZE-AS-JSON`; a line `N PID` on standard input asks for N changes of each kind, followed by the agent of that number.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createInterface } from "node:readline";
import { setImmediate, setTimeout } from "node:timers/promises";
import { DEFAULT_PATHS } from "../../src/agent/config/default-paths.ts";
import { openNodeKernel } from "../../src/agent/open-node.ts";
import type { ClusterTable } from "../../src/cluster/source.ts";
import { TABLE_KINDS } from "../../src/cluster/tables.ts";
import { decodeGeneration, GenerationOf } from "../../src/net/gen/bpf-maps.ts";
import { MainThread } from "../main-thread.ts";
import { goFirst } from "../priority.ts";
import { type ChangeName, type ClusterEvent, keyOf, makeChanges } from "./changes.ts";
import { API_KINDS, type ClusterSize, makeCluster, NODE_ADDRESSES } from "./cluster.ts";
import type { RawObject } from "./policies.ts";

/** Longer than this no agent thinks about a change. */
const PATIENCE_MS = 30_000;
/** Changes are made for so long at most. */
const BOUND_MS = 300_000;
/** Between two looks at the kernel's maps, milliseconds. */
const LOOK_MS = 0.1;
/** So many looks are one in which the agent's other requests are answered, too: each costs as much as several looks. */
const ANSWER_LOOKS = 10;
/** Between two looks at what the agent's thread has done: some milliseconds, while it may have something to do. */
const THREAD_LOOKS = 50;
/** An agent that has done something and then nothing for so long had nothing to change on this node. */
const NOTHING_MS = 100;
/** An agent that needs so little in so long has done what follows from its start, and from the pods that were attached. */
const SETTLED = { cpuMs: 20, inMs: 1000 } as const;
/** Between two changes, in which the agent does nothing. */
const PAUSE_MS = 20;

/** One change. */
export interface AppliedChange {
  readonly name: ChangeName;
  /** Until the kernel was told; undefined: there was nothing to tell. */
  readonly ms: number | undefined;
  /** Of the agent's main thread, for all that followed from it. */
  readonly cpuMs: number;
}

const [port, sizeText = ""] = process.argv.slice(2);
const cluster = makeCluster(JSON.parse(sizeText) as ClusterSize);
const tables = new Map<ClusterTable, Map<string, RawObject>>();
const watchers = new Map<ClusterTable, Set<ServerResponse>>();
let revision = 1;

for (const object of cluster.objects) remember(asSeenByNode(object));

/** The node has the box's addresses; its pods have those that they will be given. */
function asSeenByNode(raw: RawObject): RawObject {
  if (raw.table === "nodes" && keyOf(raw) === "node-0")
    return { ...raw, object: { ...raw.object, status: { addresses: NODE_ADDRESSES } } };
  const isLocal = (raw.object as { spec?: { nodeName?: string } }).spec?.nodeName === "node-0";
  return raw.table === "pods" && isLocal ? { ...raw, object: { ...raw.object, status: { phase: "Pending" } } } : raw;
}

function remember(raw: RawObject): boolean {
  const rows = tables.get(raw.table) ?? new Map<string, RawObject>();
  const isNew = !rows.has(keyOf(raw));
  tables.set(raw.table, rows.set(keyOf(raw), raw));
  return isNew;
}

function line(type: string, { table, object }: RawObject): string {
  const [apiVersion, kind] = API_KINDS[table] ?? [];
  const { metadata } = object as { metadata: object };
  return `${JSON.stringify({ type, object: { apiVersion, kind, ...object, metadata: { ...metadata, resourceVersion: String(revision) } } })}\n`;
}

async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? "/", "http://localhost");
  const kind = TABLE_KINDS.find((k) => k.collections[0].path === url.pathname);
  const known = kind !== undefined && API_KINDS[kind.table] !== undefined;
  // What else an agent does, as writing a condition of its node, is taken and forgotten.
  const isRead = req.method === "GET";
  res.writeHead(known || !isRead ? 200 : 404, { "content-type": "application/json" });
  if (!known || !isRead) {
    res.end("{}");
    return;
  }
  res.flushHeaders();
  if (url.searchParams.has("sendInitialEvents")) {
    let at = 0;
    for (const raw of tables.get(kind.table)?.values() ?? []) {
      res.write(line("ADDED", raw));
      if (++at % 500 === 0) await setImmediate();
    }
    const metadata = { resourceVersion: String(revision), annotations: { "k8s.io/initial-events-end": "true" } };
    res.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata } })}\n`);
  }
  const open = watchers.get(kind.table) ?? new Set();
  watchers.set(kind.table, open.add(res));
  res.on("close", () => open.delete(res));
}

/** Tells all watches of the change. */
function tell({ put, gone }: ClusterEvent): void {
  revision++;
  if (put !== undefined) send(remember(put) ? "ADDED" : "MODIFIED", put);
  const raw = gone === undefined ? undefined : tables.get(gone.table)?.get(gone.key);
  if (gone === undefined || raw === undefined) return;
  tables.get(gone.table)?.delete(gone.key);
  send("DELETED", raw);
}

function send(type: string, raw: RawObject): void {
  for (const res of watchers.get(raw.table) ?? []) res.write(line(type, raw));
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** @returns milliseconds until the kernel was told; undefined: the agent has done nothing more for a while */
async function timeOne(event: ClusterEvent, generation: () => number, thread: MainThread): Promise<number | undefined> {
  const before = generation();
  const ranMs = thread.look().cpuMs;
  const start = performance.now();
  tell(event);
  for (let looks = 0; ; looks++) {
    // The first time it is what sends the event.
    if (looks % ANSWER_LOOKS === 0) await setImmediate();
    if (generation() !== before) return performance.now() - start;
    if (looks % THREAD_LOOKS === 0) {
      const { cpuMs, restMs } = thread.look();
      if (cpuMs > ranMs && restMs > NOTHING_MS) return undefined;
      if (performance.now() - start > PATIENCE_MS)
        throw new Error(`An agent thinks for ${PATIENCE_MS} ms about one change`);
    }
    Atomics.wait(cell, 0, 0, LOOK_MS);
  }
}

async function whenSettled(thread: MainThread): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  let beforeMs: number;
  do {
    beforeMs = thread.look().cpuMs;
    await setTimeout(SETTLED.inMs);
  } while (thread.look().cpuMs - beforeMs > SETTLED.cpuMs && performance.now() < endMs);
}

/** Until the agent has done nothing for a while. @returns CPU time of its thread */
async function whenAtRest(thread: MainThread): Promise<number> {
  for (;;) {
    const { cpuMs, restMs } = thread.look();
    if (restMs >= PAUSE_MS) return cpuMs;
    await setTimeout(1);
  }
}

async function measure(rounds: number, pid: number): Promise<AppliedChange[]> {
  const kernel = openNodeKernel(DEFAULT_PATHS.pins);
  const key = new Uint8Array(new Uint32Array([GenerationOf.policy]).buffer);
  const generation = () => decodeGeneration(kernel.mapGet("generation", key) ?? new Uint8Array(4)).value;
  const thread = new MainThread(pid);
  const out: AppliedChange[] = [];
  await whenSettled(thread);
  // It looks on beside an agent that goes first: what it waited for a CPU would be in every figure.
  using stack = new DisposableStack();
  stack.defer(goFirst());
  const endMs = performance.now() + BOUND_MS;
  for (const event of makeChanges(cluster, rounds)) {
    if (performance.now() > endMs) break;
    const beforeMs = await whenAtRest(thread);
    const ms = await timeOne(event, generation, thread);
    out.push({ name: event.name, ms, cpuMs: (await whenAtRest(thread)) - beforeMs });
  }
  return out;
}

const server = createServer((req, res) => void serve(req, res));
await new Promise<void>((resolve) => server.listen(Number(port), "127.0.0.1", resolve));
console.log("listening");
for await (const request of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await measure(...(request.split(" ").map(Number) as [rounds: number, pid: number]))));
process.exit(0);

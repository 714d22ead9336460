/**
 * Opens connections at a steady pace from the namespace that it runs in, uses each once, and counts what came of them:
 * `connector.ts ADDRESS PORT PER_SECOND`, until its standard input ends. It prints `ready` once a connection has come to something, and at
 * its end what it counted as JSON.
 */

import { argv, stdin, stdout } from "node:process";
import { probe } from "../../src/lab/probe/probe.ts";

/** What a connector prints. */
export interface Connected {
  readonly attempts: number;
  /** By reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** How many each server answered. */
  readonly servers: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly seconds: number;
}

const TICK_MS = 5;

async function main(): Promise<void> {
  const [to = "", port = "", perSecond = ""] = argv.slice(2);
  const [failures, servers]: Record<string, number>[] = [{}, {}];
  const running = new Set<Promise<void>>();
  let [attempts, slowestMs, isReady] = [0, 0, false];
  const one = async () => {
    const r = await probe({ netns: "/proc/self/ns/net", protocol: "TCP", to, port: Number(port), timeoutMs: 10_000 });
    slowestMs = Math.max(slowestMs, r.ms);
    const [counts, key] = r.verdict === "ok" ? [servers, r.server ?? "?"] : [failures, r.reason ?? r.verdict];
    if (counts !== undefined) counts[key] = (counts[key] ?? 0) + 1;
    if (!isReady) stdout.write("ready\n");
    isReady = true;
  };
  const start = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - start) / 1000) * Number(perSecond);
    for (; attempts < due; attempts++) {
      const p = one();
      running.add(p);
      void p.finally(() => running.delete(p));
    }
  }, TICK_MS);
  for await (const _ of stdin);
  clearInterval(timer);
  const seconds = (performance.now() - start) / 1000;
  await Promise.all(running);
  stdout.write(JSON.stringify({ attempts, failures, servers, slowestMs, seconds }));
}

if (argv[1] === new URL(import.meta.url).pathname) await main();

/** Traffic between real pods while their cluster is disturbed: nothing of it may be lost. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { DEMO_PORTS } from "../../../src/lab/demo/checks.ts";
import { Connections } from "../../chaos/load.ts";
import { LiveFlow } from "../../fixture/live-flow.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import type { PodEnd } from "./objects.ts";

const FLOW_INTERVAL_MS = 20;
const CONNECTION_INTERVAL_MS = 20;
const FIRST_PORT = 7100;
/** Packets each way of every flow, and new connections, before and after a disturbance: it falls into running traffic. */
const SETTLED = 25;
const SETTLED_MS = 60_000;
/** What has not arrived by then does not come any more. */
const ARRIVAL_MS = 20_000;

/** Who talks with whom: pods that answer as the demonstration's do. */
export interface TrafficEnds {
  readonly client: PodEnd;
  readonly servers: readonly PodEnd[];
}

async function openFlows({ client, servers }: TrafficEnds, stack: DisposableStack): Promise<readonly LiveFlow[]> {
  const flows: LiveFlow[] = [];
  for (const server of servers)
    for (const [i, address] of server.addresses.entries())
      for (const protocol of ["TCP", "UDP"] as const) {
        const ends = [
          { netns: client.netns, address: client.addresses[i] ?? "" },
          { netns: server.netns, address },
        ] as const;
        const name = `${protocol} from ${client.name} on ${client.node} to ${server.name} on ${server.node}, ${address}`;
        flows.push(stack.use(await LiveFlow.open(name, protocol, ends, FIRST_PORT + flows.length)));
      }
  return flows;
}

const lanesOf = (flows: readonly LiveFlow[]) => flows.flatMap((f) => f.lanes);

/** What a disturbance may do. */
export interface Harm {
  /** There is a time without a network: what is established outlives it, datagrams and new connections need not. */
  readonly isFelt: boolean;
}

/**
 * Keeps TCP and UDP flows going both ways and opens new connections all the time, disturbs, and demands that no
 * connection broke, no packet was lost and no new connection failed.
 */
export async function unharmed(
  t: TestContext,
  ends: TrafficEnds,
  disturb: () => Promise<void>,
  { isFelt }: Harm = { isFelt: false },
): Promise<void> {
  using stack = new DisposableStack();
  const flows = await openFlows(ends, stack);
  const targets = ends.servers.flatMap((s) => s.addresses);
  const connections = stack.use(new Connections(ends.client.netns, targets, CONNECTION_INTERVAL_MS, DEMO_PORTS.tcp));
  const timer = setInterval(() => {
    for (const flow of flows) flow.tick("");
  }, FLOW_INTERVAL_MS);
  stack.defer(() => clearInterval(timer));
  /** Until so much more has gone through; a flow that is stuck ends the waiting, and is judged below. */
  async function settle(): Promise<void> {
    const before = lanesOf(flows).map((l) => l.arrived.size);
    const attempts = connections.attempts;
    const isThrough = () =>
      connections.attempts >= attempts + SETTLED &&
      lanesOf(flows).every((l, i) => l.arrived.size >= (before[i] ?? 0) + SETTLED);
    await waitFor("traffic to go on", isThrough, SETTLED_MS).catch(() => undefined);
  }
  await settle();
  const start = performance.now();
  await disturb();
  const seconds = (performance.now() - start) / 1000;
  await settle();
  clearInterval(timer);
  const { attempts, failures, slowestMs } = await connections.stop();
  const judged = flows.filter((f) => f.protocol === "TCP" || !isFelt);
  const isAllThere = () => lanesOf(judged).every((l) => l.arrived.size === l.sent.length);
  await waitFor("the last packets", isAllThere, ARRIVAL_MS).catch(() => undefined);
  const lost = judged.flatMap(({ name, lanes, problem }) => {
    const missing = lanes.map((l) => l.sent.length - l.arrived.size);
    return missing.every((n) => n === 0) && problem === undefined
      ? []
      : [`${name}: ${missing.join(" and ")} of ${lanes.map((l) => l.sent.length).join(" and ")} lost, ${problem}`];
  });
  const sent = lanesOf(flows).reduce((n, l) => n + l.sent.length, 0);
  t.diagnostic(
    `${seconds.toFixed(1)} s: ${flows.length} flows kept, ${sent} packets, ${attempts} new connections, slowest ${slowestMs.toFixed(0)} ms`,
  );
  const failed = new Set(failures.map((f) => `${f.verdict}: ${f.reason}`));
  assert.deepEqual(lost, []);
  if (!isFelt) assert.equal(failures.length, 0, `${failures.length} new connections failed: ${[...failed].join(", ")}`);
}

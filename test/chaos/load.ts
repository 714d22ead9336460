/** Load whose losses are counted: new connections at a steady pace, and iperf3 streams that know what arrived. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ProbeResult, probe } from "../../src/lab/probe/probe.ts";
import { waitFor } from "../fixture/sandbox.ts";
import { TEST_PORT } from "../fixture/traffic.ts";

/** What came of connections that were tried. */
export interface ConnectionReport {
  readonly attempts: number;
  readonly failures: readonly ProbeResult[];
  readonly slowestMs: number;
}

/**
 * Opens a connection at each interval, to one address after the other, uses it once and closes it. The other side must
 * answer at the port.
 */
export class Connections implements Disposable {
  readonly #running = new Set<Promise<void>>();
  readonly #failures: ProbeResult[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #port: number;
  #attempts = 0;
  #slowestMs = 0;

  constructor(netns: string, to: readonly string[], intervalMs: number, port = TEST_PORT) {
    this.#port = port;
    this.#timer = setInterval(() => {
      const one = this.#connect(netns, to[this.#attempts++ % to.length] ?? "");
      this.#running.add(one);
      void one.finally(() => this.#running.delete(one));
    }, intervalMs);
  }

  async #connect(netns: string, to: string): Promise<void> {
    const result = await probe({ netns, protocol: "TCP", to, port: this.#port, timeoutMs: 30_000 });
    this.#slowestMs = Math.max(this.#slowestMs, result.ms);
    if (result.verdict !== "ok") this.#failures.push(result);
  }

  /** How many have been tried until now. */
  get attempts(): number {
    return this.#attempts;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Ends the load once every connection has come to something. */
  async stop(): Promise<ConnectionReport> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
    return { attempts: this.#attempts, failures: this.#failures, slowestMs: this.#slowestMs };
  }
}

/**
 * So many seconds without data say nothing of the network: a busy machine gives a process no CPU for as long. What packets met
 * meanwhile is what the datagrams beside them tell, each of which is counted.
 */
export const STARVED_SECONDS = 2;

/** What an iperf3 stream came to. */
export interface StreamReport {
  /** Datagrams, or 0 for TCP. */
  readonly sent: number;
  /** Datagrams that did not arrive, without those that arrived and found no room in the receiver's socket. */
  readonly lost: number;
  readonly bytes: number;
  /** The longest time in which nothing arrived at all, in whole seconds of the receiver's. See {@link STARVED_SECONDS}. */
  readonly longestStallSeconds: number;
}

/** One second as the receiver saw it; packets only for UDP. */
interface Interval {
  readonly bytes: number;
  readonly packets?: number;
  readonly lost_packets?: number;
}

interface IperfReport {
  readonly intervals: readonly { readonly sum: Interval }[];
}

/** One running stream; disposing it ends both sides without a report. */
export interface Stream extends Disposable {
  /** Ends it and tells what arrived. */
  stop(): Promise<StreamReport>;
}

let nextPort = 31_000;

/**
 * Starts a stream that goes on until it is stopped, far below what the path carries: what is lost then was lost by the
 * path, not by a full queue.
 */
export async function startStream(
  protocol: "TCP" | "UDP",
  from: { readonly netns: string },
  to: { readonly netns: string; readonly address: string },
): Promise<Stream> {
  const port = String(nextPort++);
  // The server tells what arrived, also when the client is interrupted.
  const server = enter(to.netns, ["iperf3", "-s", "-1", "-J", "-B", to.address, "-p", port]);
  const said = output(server);
  await waitFor("iperf3 to listen", async () => {
    const ss = enter(to.netns, ["ss", "-Hltn", `sport = :${port}`]);
    return (await output(ss)).includes(`:${port} `);
  });
  const dropsBefore = await socketDrops(to.netns);
  const kind = protocol === "UDP" ? ["-u", "-b", "4M", "-l", "500", "-w", "400K"] : ["-b", "50M", "-C", "cubic"];
  const client = enter(from.netns, ["iperf3", "-c", to.address, "-p", port, "-t", "600", ...kind]);
  client.stdout?.resume();
  return {
    [Symbol.dispose]() {
      client.kill("SIGKILL");
      server.kill("SIGKILL");
    },
    async stop() {
      const drops = (await socketDrops(to.netns)) - dropsBefore;
      client.kill("SIGINT");
      const late = setTimeout(() => server.kill("SIGINT"), 10_000);
      const report = JSON.parse(await said) as IperfReport;
      clearTimeout(late);
      return readReport(report, protocol === "UDP" ? drops : 0);
    },
  };
}

function readReport({ intervals }: IperfReport, drops: number): StreamReport {
  const sum = (pick: (interval: Interval) => number): number => intervals.reduce((n, i) => n + pick(i.sum), 0);
  // The last interval is cut short by the end.
  const whole = intervals.slice(0, -1);
  return {
    sent: sum((i) => i.packets ?? 0),
    lost: Math.max(0, sum((i) => i.lost_packets ?? 0) - drops),
    bytes: sum((i) => i.bytes),
    longestStallSeconds: longestRun(whole.map((i) => i.sum.bytes === 0)),
  };
}

function longestRun(flags: readonly boolean[]): number {
  let longest = 0;
  let run = 0;
  for (const flag of flags) {
    run = flag ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

function enter(netns: string, argv: readonly string[]): ChildProcess {
  // A test that is killed takes its load along.
  return spawn("setpriv", ["--pdeathsig", "KILL", "nsenter", `--net=${netns}`, "--", ...argv], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

async function output(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(child, "close");
  return text;
}

/** Datagrams of a namespace that found a full socket: IPv4 and IPv6. */
async function socketDrops(netns: string): Promise<number> {
  const text = await output(enter(netns, ["cat", "/proc/self/net/snmp", "/proc/self/net/snmp6"]));
  const [names = "", values = ""] = text.split("\n").filter((line) => line.startsWith("Udp:"));
  const at = names.split(" ").indexOf("RcvbufErrors");
  const six = /^Udp6RcvbufErrors\s+(\d+)/m.exec(text);
  return Number(values.split(" ")[at] ?? 0) + Number(six?.[1] ?? 0);
}

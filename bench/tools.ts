/**
 * The measuring tools, the same for Twill and for every peer: sockperf for round trips, iperf3 for bulk, and a loop of
 * our own for connections (Debian has no tool for those whose figures hold at 70 µs). Servers wait in the background,
 * blocked, while others are measured.
 */

import { inNetns, run, type Sandbox, waitFor } from "../test/fixture/sandbox.ts";
import type { ConnectionTimes } from "./native.ts";
import { median } from "./stats.ts";
import type { Path } from "./topologies.ts";

const SOCKPERF_PORT = 5001;
const IPERF_PORT = 5002;
/** Where {@link rateServer} listens. */
export const RATE_PORT = 5003;

/**
 * Which CPU each end runs on. Round trips and connections share one: across CPUs a virtual machine's wake-up interrupts
 * cost three times what is to be measured. Bulk transfer gets both.
 */
const CPUS = { client: 0, latencyServer: 0, bulkServer: 1 } as const;

/** Median and 99th percentile of 14-byte TCP ping-pongs. */
export interface RoundTrip {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Starts the servers of a path and waits until each accepts. */
export async function startServers(box: Sandbox, path: Path): Promise<void> {
  const at = path.serverAddress;
  const netns = path.serverNetns;
  box.start(inNetns(netns, ["sockperf", "sr", "--tcp", "-i", at, "-p", String(SOCKPERF_PORT)], CPUS.latencyServer));
  box.start(inNetns(netns, ["iperf3", "-s", "-J", "-i", "0.1", "-B", at, "-p", String(IPERF_PORT)], CPUS.bulkServer));
  box.start(rateServer(netns, at));
  await waitFor(`servers of ${path.subject}`, () => {
    const listening = run(inNetns(netns, ["ss", "-Hltn"]));
    return [SOCKPERF_PORT, IPERF_PORT, RATE_PORT].every((port) => listening.includes(`:${port} `));
  });
}

const RATE = [process.execPath, new URL("connection-rate.ts", import.meta.url).pathname];

/** Ping-pongs for a while. @param seconds whole seconds, 1 or more */
export function measureRoundTrip(path: Path, seconds: number): RoundTrip {
  const args = [
    "pp",
    "--tcp",
    "--full-rtt",
    "-i",
    path.serverAddress,
    "-p",
    String(SOCKPERF_PORT),
    "-t",
    String(seconds),
  ];
  return parseSockperf(run(inNetns(path.clientNetns, ["sockperf", ...args], CPUS.client)));
}

/** Reads what `sockperf ping-pong --full-rtt` prints. @throws SyntaxError when the percentiles are not there */
export function parseSockperf(text: string): RoundTrip {
  const percentile = (p: string): number => {
    const found = new RegExp(`percentile ${p} =\\s*([0-9.]+)`).exec(text)?.[1];
    if (found === undefined) throw new SyntaxError(`Cannot read sockperf's output: no percentile ${p} in "${text}"`);
    return Number(found);
  };
  return { p50Us: percentile("50\\.000"), p99Us: percentile("99\\.000") };
}

/** One stream with cubic, in Gbit/s as the receiver saw it. */
export function measureThroughput(path: Path, seconds: number): number {
  const options = ["-C", "cubic", "-t", String(seconds), "-J", "--get-server-output"];
  const argv = ["iperf3", "-c", path.serverAddress, "-p", String(IPERF_PORT), ...options];
  return parseIperf(run(inNetns(path.clientNetns, argv, CPUS.client)));
}

/**
 * Gbit/s of the receiver's median interval, without the first and the last one.
 * @throws SyntaxError on anything else than a finished TCP test with the server's report in it
 */
export function parseIperf(text: string): number {
  const report = JSON.parse(text) as { server_output_json?: { intervals?: { sum: { bits_per_second: number } }[] } };
  const rates =
    report.server_output_json?.intervals?.map((interval) => interval.sum.bits_per_second).slice(1, -1) ?? [];
  if (rates.length === 0) throw new SyntaxError(`Cannot read iperf3's report: "${text.slice(0, 500)}"`);
  return median(rates) / 1e9;
}

/** New connections in a second: connect, one byte each way, close; one after the other. */
export function measureConnectionRate(path: Path, seconds: number): number {
  return measureConnections(path.subject, path.clientNetns, { host: path.serverAddress }, seconds).rate;
}

/** Where connections go: to one of so many addresses from `host` on. */
export interface Targets {
  readonly host: string;
  /** Default {@link RATE_PORT}. */
  readonly port?: number;
  /** Default 1. */
  readonly addresses?: number;
}

/** As {@link measureConnectionRate}, with what single ones took. @param wrap what the client's command line is put into */
export function measureConnections(
  subject: string,
  netns: string,
  { host, port = RATE_PORT, addresses = 1 }: Targets,
  seconds: number,
  wrap: (argv: readonly string[]) => string[] = (argv) => [...argv],
): ConnectionTimes {
  const argv = [...RATE, "client", host, String(port), String(seconds), String(addresses)];
  const times = JSON.parse(run(inNetns(netns, wrap(argv), CPUS.client))) as ConnectionTimes;
  if (!(times.rate > 0)) throw new SyntaxError(`Cannot measure connections over ${subject}: rate is "${times.rate}"`);
  return times;
}

/** The server of {@link measureConnections} alone, for pods that are nothing but backends. */
export function rateServer(netns: string, host: string): string[] {
  return inNetns(netns, [...RATE, "server", host, String(RATE_PORT)], CPUS.latencyServer);
}

/** The Debian packages whose programs are used here. */
export const NEEDED_PROGRAMS: readonly { readonly program: string; readonly debianPackage: string }[] = [
  { program: "sockperf", debianPackage: "sockperf" },
  { program: "iperf3", debianPackage: "iperf3" },
  { program: "taskset", debianPackage: "util-linux" },
  { program: "ss", debianPackage: "iproute2" },
];

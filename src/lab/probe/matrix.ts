/** Who reaches whom: every endpoint against every endpoint on a list of ports, in one go. */

import { err, ok, type Result } from "../../base/result.ts";
import { type ProbeResult, type ProbeSpec, probeAll } from "./probe.ts";
import type { PortSpec, Responder } from "./responder.ts";

/** Something that can be probed from and to. */
export interface Endpoint {
  /** `namespace/name` of a pod, a node's name, or `outside`. */
  readonly name: string;
  readonly kind: "pod" | "node" | "outside";
  readonly netns: string;
  readonly addresses: readonly string[];
  /** Whether an echo server answers there: else a connection that opens is all that can be asked for. */
  readonly hasEcho: boolean;
}

/** A protocol and port as `80/TCP`; for ICMP only the protocol. */
export type ProbePort = PortSpec | { readonly protocol: "ICMP"; readonly port: 0 };

/** What a matrix is asked for. */
export interface MatrixOptions {
  readonly ports: readonly ProbePort[];
  /** Default: both. */
  readonly families?: readonly (4 | 6)[];
  readonly timeoutMs?: number;
  /** Only these endpoints as senders and receivers; default: all. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
}

/**
 * Verdicts by port, sender and receiver. When the families of a cell disagree, the cell says so (`4:ok 6:timeout`), so
 * that it never equals an expected verdict.
 */
export type Matrix = Record<string, Record<string, Record<string, string>>>;

/** Reads `80/TCP,81/UDP,ICMP`. */
export function parsePorts(text: string): Result<ProbePort[]> {
  const out: ProbePort[] = [];
  for (const word of text.split(",").map((w) => w.trim().toUpperCase())) {
    const [port = "", protocol = "TCP"] = word.split("/");
    if (word === "ICMP") out.push({ protocol: "ICMP", port: 0 });
    else if (protocol === "SCTP") return err("SCTP cannot be probed: neither Node nor most kernels have SCTP sockets");
    else if (
      (protocol !== "TCP" && protocol !== "UDP") ||
      !/^[0-9]{1,5}$/.test(port) ||
      Number(port) < 1 ||
      Number(port) > 65535
    )
      return err(`"${word}" is not a port such as 80/TCP, 53/UDP or ICMP`);
    else out.push({ protocol, port: Number(port) });
  }
  return ok(out);
}

/** The key of a port in a matrix. */
export function portKey(p: ProbePort): string {
  return p.protocol === "ICMP" ? "ICMP" : `${p.port}/${p.protocol}`;
}

interface Cell {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly spec: ProbeSpec;
}

/** Pods of namespace `default` may be named without it. @throws Error naming what is unknown, and what there is */
function fullNames(
  endpoints: readonly Endpoint[],
  names: readonly string[] | undefined,
): readonly string[] | undefined {
  const known = new Set(endpoints.map((e) => e.name));
  const full = names?.map((n) => (known.has(n) ? n : `default/${n}`));
  const unknown = names?.filter((_, i) => !known.has(full?.[i] ?? "")) ?? [];
  if (unknown.length === 0) return full;
  throw new Error(`Cannot probe "${unknown.join('", "')}": ${[...known].join(", ")} can be probed`);
}

function cellsOf(endpoints: readonly Endpoint[], options: MatrixOptions): Cell[] {
  const cells: Cell[] = [];
  const isWanted = (list: readonly string[] | undefined, e: Endpoint) => list === undefined || list.includes(e.name);
  for (const port of options.ports) {
    for (const from of endpoints.filter((e) => isWanted(options.from, e))) {
      for (const to of endpoints.filter((e) => isWanted(options.to, e))) {
        for (const family of options.families ?? [4, 6]) {
          const address = to.addresses.find((a) => a.includes(":") === (family === 6));
          if (address === undefined || !from.addresses.some((a) => a.includes(":") === (family === 6))) continue;
          const spec: ProbeSpec = {
            netns: from.netns,
            protocol: port.protocol,
            port: port.port,
            to: address,
            ...(to.hasEcho ? {} : { isConnectEnough: true }),
            ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
          };
          cells.push({ key: portKey(port), from: from.name, to: to.name, family, spec });
        }
      }
    }
  }
  return cells;
}

/** Cell texts from the results of both families. */
export function combine(
  results: readonly { readonly family: 4 | 6; readonly verdict: ProbeResult["verdict"] }[],
): string {
  const [first] = results;
  if (first === undefined) return "refused";
  return results.every((r) => r.verdict === first.verdict)
    ? first.verdict
    : results.map((r) => `${r.family}:${r.verdict}`).join(" ");
}

/** Sends all probes of a matrix. Nodes and the outside host answer on the asked ports by the responder. */
export async function probeMatrix(
  endpoints: readonly Endpoint[],
  responder: Responder,
  asked: MatrixOptions,
): Promise<Matrix> {
  const from = fullNames(endpoints, asked.from);
  const to = fullNames(endpoints, asked.to);
  const options = { ...asked, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const hosts = endpoints.filter((e) => e.kind !== "pod");
  const ports = options.ports.filter((p): p is PortSpec => p.protocol !== "ICMP");
  await Promise.all(hosts.flatMap((h) => ports.map((p) => responder.serve(h, p))));
  const cells = cellsOf(endpoints, options);
  const results = await probeAll(cells.map((c) => c.spec));
  const matrix: Matrix = {};
  const groups = Map.groupBy(cells.keys(), (i) => `${cells[i]?.key} ${cells[i]?.from} ${cells[i]?.to}`);
  for (const indexes of groups.values()) {
    const cell = cells[indexes[0] ?? 0];
    if (cell === undefined) continue;
    const verdicts = indexes.map((i) => ({ family: cells[i]?.family ?? 4, verdict: results[i]?.verdict ?? "timeout" }));
    matrix[cell.key] ??= {};
    const rows = matrix[cell.key] ?? {};
    rows[cell.from] = { ...rows[cell.from], [cell.to]: combine(verdicts) };
  }
  return matrix;
}

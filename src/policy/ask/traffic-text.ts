/** What traffic users ask about, in their words: `80/TCP`, `53/udp`, `http`, `ICMP`, `ICMP/8/0`, `IP/47`. */

import { err, ok, type Result } from "../../base/result.ts";
import type { Family } from "../../net/addr.ts";
import type { NamedPort } from "../rule.ts";
import { icmpProtocol } from "../traffic.ts";
import type { Traffic } from "./world.ts";

/** Traffic that a question is about. */
export type AskedTraffic =
  /** `port` by number, or by a name of the pod that the traffic goes to. */
  | { readonly kind: "port"; readonly protocol: number; readonly port: number | string }
  /** Of the family's own ICMP; without a type an echo request. */
  | { readonly kind: "icmp"; readonly type: number | undefined; readonly code: number }
  | { readonly kind: "protocol"; readonly protocol: number };

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["TCP", 6],
  ["UDP", 17],
  ["SCTP", 132],
]);
const ECHO: Readonly<Record<Family, number>> = { 4: 8, 6: 128 };
const EXAMPLES = "80/TCP, 53/UDP, 80/SCTP, http/TCP, ICMP, ICMP/8, ICMP/3/4 or IP/47";

/** A whole number from `min` to `max`; undefined: it is none. */
function integer(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined || !/^[0-9]{1,5}$/.test(text)) return undefined;
  const n = Number(text);
  return n >= min && n <= max ? n : undefined;
}

/** `TYPE` or `TYPE/CODE`. */
export function parseIcmp(text: string): Result<AskedTraffic> {
  const [type, code, ...rest] = text.split("/");
  const t = integer(type, 0, 255);
  const c = code === undefined ? 0 : integer(code, 0, 255);
  if (t === undefined || c === undefined || rest.length > 0)
    return err(`"${text}" is not an ICMP type such as 8, or type and code such as 3/4`);
  return ok({ kind: "icmp", type: t, code: c });
}

/** Reads one traffic; without a protocol it is TCP. */
export function parseTraffic(text: string): Result<AskedTraffic> {
  const bad = err(`"${text}" is not traffic such as ${EXAMPLES}`);
  const [first = "", second, ...rest] = text.trim().split("/");
  if (/^icmp$/i.test(first)) {
    if (second === undefined) return ok({ kind: "icmp", type: undefined, code: 0 });
    const icmp = parseIcmp([second, ...rest].join("/"));
    return icmp.ok ? icmp : bad;
  }
  if (rest.length > 0) return bad;
  if (/^ip$/i.test(first)) {
    const protocol = integer(second, 0, 255);
    return protocol === undefined ? bad : ok({ kind: "protocol", protocol });
  }
  const protocol = PROTOCOLS.get((second ?? "TCP").toUpperCase());
  if (protocol === undefined) return bad;
  const port = integer(first, 1, 65535);
  if (port !== undefined) return ok({ kind: "port", protocol, port });
  return /^(?=.*[a-z])[a-z0-9-]{1,15}$/.test(first) ? ok({ kind: "port", protocol, port: first }) : bad;
}

/** Reads `80/TCP,81/UDP,ICMP`. */
export function parseTraffics(text: string): Result<AskedTraffic[]> {
  const out: AskedTraffic[] = [];
  for (const word of text.split(",")) {
    const one = parseTraffic(word);
    if (!one.ok) return one;
    out.push(one.value);
  }
  return ok(out);
}

/** As the lab's probes write it: `80/TCP`, `ICMP`. */
export function trafficText(t: AskedTraffic): string {
  switch (t.kind) {
    case "port":
      return `${t.port}/${[...PROTOCOLS].find(([, n]) => n === t.protocol)?.[0] ?? t.protocol}`;
    case "icmp":
      return t.type === undefined ? "ICMP" : `ICMP/${t.type}/${t.code}`;
    case "protocol":
      return `IP/${t.protocol}`;
  }
}

/**
 * What a packet of it brings.
 * @param names ports that the receiver declares; undefined is returned where it declares none of the asked name
 */
export function trafficPoint(t: AskedTraffic, family: Family, names: readonly NamedPort[]): Traffic | undefined {
  if (t.kind === "icmp") return { protocol: icmpProtocol(family), port: ((t.type ?? ECHO[family]) << 8) | t.code };
  if (t.kind === "protocol") return { protocol: t.protocol, port: 0 };
  if (typeof t.port === "number") return { protocol: t.protocol, port: t.port };
  const named = names.find((n) => n.name === t.port && n.protocol === t.protocol);
  return named && { protocol: t.protocol, port: named.port };
}

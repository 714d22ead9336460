/** What the offline program must know: written by the agent, read when the agent is away. */

import type { Issue } from "../../base/issue.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { makePool, type Pool } from "../../ipam/pool.ts";
import { type Reader, readObject } from "../../model/read.ts";
import { parseAddr } from "../../net/addr.ts";
import { parsePrefix } from "../../net/prefix.ts";
import { type AddrRange, rangeOf } from "../../net/range.ts";
import type { EndpointClasses } from "../../policy/table.ts";
import type { NodeSettings } from "./node-context.ts";

/** Layout of the file. */
const VERSION = 2;

/** See the file's comment. */
export interface OfflineSettings extends NodeSettings {
  /** Directory of the ledger and the sockets. */
  readonly runDirectory: string;
  readonly pinDirectory: string;
  readonly coolDownMs: number;
  /** Of pods in a cluster without any policy; undefined: there is policy, which only an agent can apply. */
  readonly openClasses: EndpointClasses | undefined;
}

/** As text, the same for the same settings. */
export function formatOfflineSettings(s: OfflineSettings): string {
  const pools = s.pools.map((p) => ({
    name: p.name,
    prefix: p.prefix.text,
    reserved: p.reserved.map((r) => ({ first: r.first.text, last: r.last.text })),
  }));
  const { runDirectory, pinDirectory, coolDownMs, mtuBytes, openClasses } = s;
  return `${JSON.stringify({ version: VERSION, runDirectory, pinDirectory, coolDownMs, mtuBytes, openClasses, pools }, undefined, 2)}\n`;
}

function readRange(r: Reader): readonly AddrRange[] {
  const first = parseAddr(r.requiredString("first"));
  const last = parseAddr(r.requiredString("last"));
  if (!first.ok) r.issue("first", first.error);
  if (!last.ok) r.issue("last", last.error);
  return first.ok && last.ok ? [rangeOf(first.value, last.value)] : [];
}

function readPool(r: Reader): readonly Pool[] {
  const name = r.requiredString("name");
  const prefix = parsePrefix(r.requiredString("prefix"));
  if (!prefix.ok) {
    r.issue("prefix", prefix.error);
    return [];
  }
  return [makePool(name, prefix.value, r.objects("reserved").flatMap(readRange))];
}

function readClasses(r: Reader): EndpointClasses | undefined {
  const of = r.object("openClasses");
  const number = (key: string) => of?.integer(key, 1, 0xffff_ffff);
  const [ingress, egress] = [number("ingress"), number("egress")];
  return ingress === undefined || egress === undefined ? undefined : { ingress, egress };
}

/** Reads what {@link formatOfflineSettings} wrote; anything else is refused with all issues. */
export function parseOfflineSettings(text: string): Result<OfflineSettings, readonly Issue[]> {
  const issues: Issue[] = [];
  try {
    const r = readObject(JSON.parse(text), issues);
    const version = r.integer("version", 0, Number.MAX_SAFE_INTEGER);
    if (version !== VERSION) r.issue("version", `Version ${version} is not ${VERSION}`);
    const settings = {
      runDirectory: r.requiredString("runDirectory"),
      pinDirectory: r.requiredString("pinDirectory"),
      coolDownMs: r.integer("coolDownMs", 0, Number.MAX_SAFE_INTEGER) ?? 0,
      mtuBytes: r.integer("mtuBytes", 576, 65535) ?? 1280,
      openClasses: readClasses(r),
      pools: r.objects("pools").flatMap(readPool),
    };
    return issues.length > 0 ? err(issues) : ok(settings);
  } catch (error) {
    return err([...issues, { path: "", message: String(error) }]);
  }
}

/**
 * Gives services of type LoadBalancer their addresses. All agents know what should stand in a service's status; the one that
 * holds the Lease reads the services anew, writes what does not stand there, and gives the Lease up. What a service has
 * stands in its status alone: there is nothing to release, and nothing that could leak.
 *
 * A service that another controller has given an address is left alone: what is Twill's has Twill's condition.
 */

import type { LeaderApi } from "../../cluster/leader-api.ts";
import type { LoadBalancerApi, ServedService } from "../../cluster/load-balancer-api.ts";
import type { ObjectCondition } from "../../cluster/reports.ts";
import type { LoadBalancerPool } from "../../model/load-balancer-pool.ts";
import type { Service } from "../../model/service.ts";
import { formatRange, rangeHas } from "../../net/range.ts";
import { type Assignment, assignAddresses } from "../../service/load-balancer/assign.ts";
import type { Log } from "../log.ts";
import { keepLooking } from "./looking.ts";
import { Tenure } from "./tenure.ts";

/** Type of the condition on services that Twill gives addresses to. */
export const ADDRESS_CONDITION = "twill.dev/AddressAssigned";

/** What the cluster's tables say. */
export interface LoadBalancerObjects {
  readonly services: Iterable<Service>;
  readonly pools: readonly LoadBalancerPool[];
}

/** What giving needs. */
export interface LoadBalancerDutyParts {
  readonly leader: Pick<LeaderApi, "readLease" | "writeLease">;
  readonly api: LoadBalancerApi;
  /** Who writes the Lease: the node's name. */
  readonly self: string;
  readonly log: Log;
  /** The same object as long as nothing has changed; undefined: not known yet. */
  readonly objects: () => LoadBalancerObjects | undefined;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after the time or when the signal falls. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 … 1. */
  readonly random: () => number;
}

/** Between two looks. */
const LOOK_MS = 1_000;
/** After so long a service that was left as it is is looked at anew. */
const AGAIN_MS = 600_000;

const keyOf = (s: Service) => `${s.namespace}/${s.name}`;
const textOf = (addrs: readonly { readonly text: string }[]) =>
  addrs
    .map((a) => a.text)
    .sort()
    .join();

function conditionOf({ addrs, shortage }: Assignment): ObjectCondition {
  const has = addrs.map((a) => a.text).join(", ");
  const status = shortage === undefined ? "True" : "False";
  const message =
    shortage === undefined ? `It has ${has}` : `${shortage.message}${has === "" ? "" : `; it has ${has}`}`;
  return {
    type: ADDRESS_CONDITION,
    status,
    reason: shortage?.reason ?? "Assigned",
    message,
    // Services have no generation.
    observedGeneration: 0,
  };
}

/** One for the life of an agent. */
export class LoadBalancerDuty {
  readonly #parts: LoadBalancerDutyParts;
  readonly #tenure: Tenure;
  /** What was last found to be as it should be, or not Twill's: what it has and what it would get, by service. */
  readonly #settled = new Map<string, { readonly text: string; readonly atMs: number }>();
  /** Services that another controller serves, and what they have from it. */
  readonly #foreign = new Map<string, string>();
  /** What the pools were when {@link #foreign} was filled. */
  #foreignTo = "";
  #seen: LoadBalancerObjects | undefined;

  constructor(parts: LoadBalancerDutyParts) {
    this.#parts = parts;
    this.#tenure = new Tenure({ ...parts, api: parts.leader });
  }

  /** Looks, again and again, until the signal falls. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    const tell = (failure: string) => this.#parts.log.warn({ failure }, "cannot give addresses to services");
    return keepLooking(this.#parts, { everyMs: LOOK_MS, once: (s) => this.once(s), tell }, signal);
  }

  /** Writes what should stand there and does not, if nobody else is at it. @returns services written */
  async once(signal: AbortSignal): Promise<number> {
    const objects = this.#parts.objects();
    if (objects === undefined || objects === this.#seen) return 0;
    if (this.#foreignTo !== poolsText(objects.pools)) this.#foreign.clear();
    const own = [...objects.services].filter((s) => this.#foreign.get(keyOf(s)) !== textOf(s.loadBalancerIps));
    const wanted = assignAddresses(own, objects.pools);
    if (wanted.every((a) => this.#isSettled(a))) {
      this.#seen = objects;
      return 0;
    }
    // The next look says whether it is all done: what was written comes back by the watch.
    return (await this.#tenure.hold(signal, (safe) => this.#give(objects.pools, safe))) ?? 0;
  }

  #noteForeign(services: readonly ServedService[]): void {
    this.#foreign.clear();
    for (const { service } of services) this.#foreign.set(keyOf(service), textOf(service.loadBalancerIps));
  }

  #isSettled(a: Assignment): boolean {
    const known = this.#settled.get(keyOf(a.service));
    return known?.text === settledText(a) && this.#parts.nowMs() - known.atMs < AGAIN_MS;
  }

  async #give(pools: readonly LoadBalancerPool[], signal: AbortSignal): Promise<number> {
    const { api, log, nowMs } = this.#parts;
    const present = new Map((await api.listServices(signal)).map((s) => [keyOf(s.service), s]));
    const own = [...present.values()].filter((s) => !isForeign(s, pools));
    this.#noteForeign([...present.values()].filter((s) => isForeign(s, pools)));
    this.#foreignTo = poolsText(pools);
    let written = 0;
    // Bounded by the services that there are.
    for (const key of this.#settled.keys()) if (!present.has(key)) this.#settled.delete(key);
    for (const a of assignAddresses(
      own.map((s) => s.service),
      pools,
    )) {
      if (signal.aborted) break;
      const of = present.get(keyOf(a.service));
      if (of === undefined) continue;
      const condition = conditionOf(a);
      const isRight = isAsWanted(of, a) && hasCondition(of, condition);
      if (!isRight) {
        if (!(await api.writeStatus(of, { ips: a.addrs.map((x) => x.text), condition }, signal))) continue;
        written++;
        this.#settled.set(keyOf(a.service), { text: settledText(a, a.addrs), atMs: nowMs() });
        const fields = { subject: keyOf(a.service), addrs: a.addrs.map((x) => x.text) };
        if (a.shortage === undefined) log.info(fields, "gave addresses to a service");
        else
          log.warn(
            { ...fields, reasons: [a.shortage.message] },
            "cannot give a service the addresses that it should have",
          );
      }
      if (isRight) this.#settled.set(keyOf(a.service), { text: settledText(a), atMs: nowMs() });
    }
    return written;
  }
}

function poolsText(pools: readonly LoadBalancerPool[]): string {
  return pools.flatMap((p) => p.ranges.map(formatRange)).join();
}

/** What a service has and should get. */
function settledText(a: Assignment, has: readonly { readonly text: string }[] = a.service.loadBalancerIps): string {
  return `${textOf(has)} ${textOf(a.addrs)} ${a.shortage?.reason} ${a.shortage?.message}`;
}

function hasCondition(of: ServedService, want: ObjectCondition): boolean {
  return of.conditions.some(
    (c) => c.type === want.type && c.status === want.status && c.reason === want.reason && c.message === want.message,
  );
}

function isAsWanted(of: ServedService, a: Assignment): boolean {
  return textOf(of.ingress.map((i) => ({ text: i.ip ?? i.hostname ?? "" }))) === textOf(a.addrs);
}

/** Nothing says that Twill gave it what it has, which is of no pool; or there are no pools at all. */
function isForeign(of: ServedService, pools: readonly LoadBalancerPool[]): boolean {
  if (of.conditions.some((c) => c.type === ADDRESS_CONDITION)) return false;
  const ranges = pools.flatMap((p) => p.ranges);
  const isOfPool = of.service.loadBalancerIps.some((a) => ranges.some((r) => rangeHas(r, a)));
  return ranges.length === 0 || (of.ingress.length > 0 && !isOfPool);
}

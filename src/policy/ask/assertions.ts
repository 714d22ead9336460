/** What users hold true of their policies: which flows are allowed or denied, and by whom. */

import { infoText, stepInfo } from "../classes.ts";
import type { Outcome } from "../order.ts";
import type { Direction } from "../rule.ts";
import { findEnd } from "./ends.ts";
import { type FamilyVerdict, isInside, judgeEnds } from "./flow.ts";
import { type AskedTraffic, trafficText } from "./traffic-text.ts";
import type { World, WorldEnd } from "./world.ts";

/** One claim about all flows from some ends to others. */
export interface Assertion {
  readonly name: string;
  /** Pods, nodes, addresses; with `*` in it a pattern over `namespace/name` of pods. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly traffic: readonly AskedTraffic[];
  readonly expect: "allow" | "deny";
  /** What must decide at one of the ends: an object as `NetworkPolicy shop/db`, with or without a path behind it; absent: whatever. */
  readonly by: string | undefined;
}

/** A flow that is not as it is claimed to be. */
export interface FailedFlow {
  readonly from: string;
  readonly to: string;
  readonly traffic: string;
  readonly found: "allowed" | "denied" | "different between IPv4 and IPv6";
  /** What decided, in words. */
  readonly because: string;
}

/** What came of a claim. It holds when there are neither failures nor an error. */
export interface AssertionResult {
  readonly name: string;
  readonly flows: number;
  readonly failures: readonly FailedFlow[];
  /** Why it could not be judged. */
  readonly error: string | undefined;
}

/** Whether the claim holds. */
export function holds(result: AssertionResult): boolean {
  return result.failures.length === 0 && result.error === undefined;
}

function sideText(outcome: Outcome | undefined, direction: Direction): string[] {
  if (outcome === undefined) return [];
  return [
    outcome.by === undefined ? `${direction} no policy speaks about it` : infoText(stepInfo(outcome.by, direction)),
  ];
}

/** What decided at each end that was asked; of what is denied, at the ends that deny. */
function reasons(v: FamilyVerdict): string[] {
  const count = (o: Outcome | undefined) => (v.isAllowed || o?.isAllowed === false ? o : undefined);
  return [...sideText(count(v.egress), "egress"), ...sideText(count(v.ingress), "ingress")];
}

function isDecidedBy(reason: string, by: string): boolean {
  const own = reason.replace(/^(ingress|egress) /, "");
  return own === by || own.startsWith(`${by} `);
}

/** The ends that a word names. @throws Error where it names none */
function endsOf(world: World, word: string): WorldEnd[] {
  if (!word.includes("*")) {
    const end = findEnd(world, word);
    if (!end.ok) throw new Error(end.error);
    return [end.value];
  }
  const pattern = new RegExp(
    `^${word
      .split("*")
      .map((w) => w.replace(/[^a-z0-9/-]/gi, "\\$&"))
      .join(".*")}$`,
  );
  const found = [...world.pods.values()].filter((p) => pattern.test(p.name));
  if (found.length === 0) throw new Error(`No pod is named like "${word}"`);
  return found;
}

function uniqueEnds(world: World, words: readonly string[]): WorldEnd[] {
  const all = words.flatMap((w) => endsOf(world, w));
  return all.filter((e, i) => all.findIndex((o) => o.name === e.name && o.addrs.length === e.addrs.length) === i);
}

function judgeFlow(world: World, of: Assertion, from: WorldEnd, to: WorldEnd, t: AskedTraffic): FailedFlow | undefined {
  const verdicts = judgeEnds(world, from, to, t);
  const allowed = verdicts.filter((v) => v.isAllowed).length;
  const wanted = of.expect === "allow" ? verdicts.length : 0;
  const { by } = of;
  const isBy = by === undefined || verdicts.every((v) => reasons(v).some((r) => isDecidedBy(r, by)));
  if (verdicts.length > 0 && allowed === wanted && isBy) return undefined;
  const head = { from: from.name, to: to.name, traffic: trafficText(t) };
  if (verdicts.length === 0)
    return { ...head, found: "denied", because: "there is no such flow: no family or no port of that name in common" };
  const found = allowed === 0 ? "denied" : allowed === verdicts.length ? "allowed" : "different between IPv4 and IPv6";
  return {
    ...head,
    found,
    because: [...new Set(verdicts.flatMap(reasons))].join("; ") || "no policy speaks of either end",
  };
}

/** Judges one claim. */
export function checkAssertion(world: World, of: Assertion): AssertionResult {
  const failures: FailedFlow[] = [];
  let flows = 0;
  try {
    const [senders, receivers] = [uniqueEnds(world, of.from), uniqueEnds(world, of.to)];
    for (const from of senders)
      for (const to of receivers) {
        if (isInside(from, to)) continue;
        for (const t of of.traffic) {
          flows++;
          const failed = judgeFlow(world, of, from, to, t);
          if (failed !== undefined) failures.push(failed);
        }
      }
  } catch (error) {
    return { name: of.name, flows, failures, error: (error as Error).message };
  }
  const error = flows === 0 ? "It is about no flow at all: both ends are the same" : undefined;
  return { name: of.name, flows, failures, error };
}

/** Classes: endpoints that the same rules apply to, in the same order, with the same named ports. */

import { remembered } from "../base/remembered.ts";
import { type OrderedTier, refKey, refText, type Step, walkOf } from "./order.ts";
import { addAtoms } from "./peer.ts";
import type { AddressFacts, Atom, Direction, NamedPort, Policy, Subject } from "./rule.ts";
import type { RuleInfo } from "./table.ts";
import { portNames } from "./traffic.ts";

/** Something whose traffic is judged: a pod of this node, or the node itself. */
export interface Endpoint {
  /** Unique among the endpoints; of a pod `namespace/name`. */
  readonly key: string;
  readonly of: Subject["of"];
  /** Of one of its addresses: what selects endpoints is the same for all of them. The same object as long as nothing changed. */
  readonly facts: AddressFacts;
}

/** The rules of one direction that endpoints share. */
export interface PolicyClass {
  /** Equal texts, equal classes. */
  readonly key: string;
  readonly direction: Direction;
  readonly steps: readonly Step[];
  /** Of the endpoint, where rules ask for them: what named ports mean for ingress. */
  readonly names: readonly NamedPort[];
  /** Why nothing passes, whatever the rules were. */
  readonly closed?: string;
}

let nextTag = 0;

/** The same object has the same text; a policy that changed is another object. */
export const policyTag: (policy: Policy) => string = remembered(() => String(nextTag++));

/** Names of ports that the steps ask for. */
function namesIn(steps: readonly Step[]): Set<string> {
  return new Set(steps.flatMap((s) => (s.kind === "rule" ? s.rule.traffic.flatMap(portNames) : [])));
}

/** The class of an endpoint in one direction, given the policies that speak about it. */
export function classOf(tiers: readonly OrderedTier[], endpoint: Endpoint, direction: Direction): PolicyClass {
  const steps = walkOf(tiers, direction);
  const asked = direction === "ingress" ? namesIn(steps) : new Set();
  const names = endpoint.facts.namedPorts
    .filter((p) => asked.has(p.name))
    .sort((a, b) => (`${a.name}:${a.protocol}:${a.port}` < `${b.name}:${b.protocol}:${b.port}` ? -1 : 1));
  const walkText = tiers.map(
    (t) => `${t.tier.name}/${t.tier.order}/${t.tier.end}:${t.policies.map(policyTag).join(",")}`,
  );
  const namesText = names.map((n) => `${n.name}:${n.protocol}:${n.port}`);
  return { key: `${direction} ${walkText.join(";")} ${namesText.join(",")}`, direction, steps, names };
}

/** The class of endpoints whose rules have no room: it asks nothing. */
export function closedClass(direction: Direction, why: string): PolicyClass {
  return { key: `${direction} closed: ${why}`, direction, steps: [], names: [], closed: why };
}

/** Names of ports that the class's rules ask for. */
export const namesOfClass: (of: PolicyClass) => ReadonlySet<string> = remembered(({ steps }: PolicyClass) =>
  namesIn(steps),
);

/** The atoms that the class's rules ask about their peers, by their keys. */
export const atomsOfClass: (of: PolicyClass) => ReadonlyMap<string, Atom> = remembered(({ steps }: PolicyClass) => {
  const found = new Map<string, Atom>();
  for (const step of steps) if (step.kind === "rule") addAtoms(found, step.rule.peer);
  return found;
});

/** Ends are asked about again and again, and may name many policies. */
const endInfos = new WeakMap<Step, RuleInfo>();

/** What people are told about a step. */
export function stepInfo(step: Step, direction: Direction): RuleInfo {
  if (step.kind === "rule") {
    const { policy, rule } = step;
    return { direction, ref: policy.ref, path: rule.path, name: rule.name, action: rule.action, isolatedBy: [] };
  }
  let info = endInfos.get(step);
  if (info === undefined) {
    const isolatedBy = step.by.map((p) => p.ref);
    const path = `end of tier ${step.of.name}`;
    info = { direction, ref: undefined, path, name: "", action: "deny", isolatedBy };
    endInfos.set(step, info);
  }
  return info;
}

const infoKeys = new WeakMap<RuleInfo, string>();

/**
 * Rules with different keys have different numbers: another action is another rule, for counters and late events, and a
 * tier's end is told apart by who isolates.
 */
export function infoKey(info: RuleInfo): string {
  if (info.isolatedBy.length === 0) return `${info.action} ${infoText(info)}`;
  const key = infoKeys.get(info) ?? [infoText(info), ...info.isolatedBy.map(refKey).sort()].join("\n");
  infoKeys.set(info, key);
  return key;
}

/** One line; the same for the same rule of the same object, also after it changed. */
export function infoText(info: RuleInfo): string {
  const of = info.ref === undefined ? info.path : `${refText(info.ref)} ${info.path}`;
  return `${info.direction} ${of}${info.name === "" ? "" : ` "${info.name}"`}`;
}

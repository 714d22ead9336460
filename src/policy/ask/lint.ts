/**
 * What policies say in vain: rules that never decide, rules that mean nobody, policies that select nothing. Nothing is guessed:
 * every flow that rules can tell apart is judged, in the cluster as it is.
 */

import { isWritten } from "../explain.ts";
import { isFailsafe } from "../failsafe.ts";
import { policiesFor, refText, type Step, walk, walkOf } from "../order.ts";
import { matchesPeer } from "../peer.ts";
import { type AddressFacts, BUILT_IN_TIERS, type Direction, type Policy, type PolicyRef, type Rule } from "../rule.ts";
import { closedRule, trafficMatches } from "../traffic.ts";
import { peerSamples, trafficSamples } from "./samples.ts";
import type { Judged, World, WorldEnd } from "./world.ts";

/** What is wrong. */
export type FindingKind =
  /** No endpoint is selected. */
  | "selects-nothing"
  /** No flow of the endpoints that are selected is meant: nobody is such a peer, or no such traffic exists. */
  | "never-matches"
  /** Whatever it means, others before it decide. */
  | "shadowed"
  /** The tier is declared nowhere: the policy stands where `default` stands. */
  | "tier-missing";

/** One thing that is said in vain. */
export interface Finding {
  readonly kind: FindingKind;
  readonly ref: PolicyRef;
  /** Where in the object. */
  readonly path: string;
  /** In words. */
  readonly message: string;
}

/** Findings, and whether all was looked at. */
export interface LintResult {
  readonly findings: readonly Finding[];
  /** The bound on work was reached: rules that were not looked at are not in the findings. */
  readonly isPartial: boolean;
}

/** Flows that are judged at most, times steps of a walk. */
const MAX_WORK = 200_000_000;
/** Rules that a finding names as standing before. */
const MAX_NAMED = 3;

interface RuleState {
  readonly policy: Policy;
  readonly rule: Rule;
  readonly direction: Direction;
  matched: boolean;
  decided: boolean;
  /** Texts of what decided instead. */
  readonly before: Set<string>;
  /** What it does is what those do. */
  isSame: boolean;
}

/** A rule as it is judged, and as it was written. */
type JudgedRule = Step & { readonly kind: "rule"; readonly of: Rule };

function stepText(step: Step): string {
  return step.kind === "end" ? `end of tier ${step.of.name}` : `${step.rule.path} of ${refText(step.policy.ref)}`;
}

class Linter {
  readonly #world: World;
  readonly #states = new Map<Rule, RuleState>();
  readonly #looked = new Set<Rule>();
  #work = 0;
  isPartial = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Judges every flow that the steps of one class of endpoints can tell apart. */
  look(steps: readonly Step[], own: AddressFacts, direction: Direction, seenFrom: string | undefined): void {
    const rules = steps.filter((s) => s.kind === "rule");
    for (const { rule, policy } of rules) this.#state(rule, policy, direction);
    // As the tables hold them.
    const judged = steps.map((s) =>
      s.kind === "end" ? s : { ...s, of: s.rule, rule: { ...s.rule, ...closedRule(s.rule) } },
    );
    const closed = judged.filter((s) => s.kind === "rule");
    const known = new Set<string>();
    const points = new Map<string, ReturnType<typeof trafficSamples>>();
    for (const addr of peerSamples(this.#world, steps)) {
      const peer = this.#world.peer(addr, seenFrom);
      const isMeant = closed.map(({ rule }) => matchesPeer(rule.peer, peer));
      const names = (direction === "ingress" ? own : peer).namedPorts;
      const pointKey = `${addr.family} ${names.map((n) => `${n.name}/${n.protocol}/${n.port}`).join()}`;
      const key = `${pointKey} ${isMeant.map(Number).join("")}`;
      if (known.has(key)) continue;
      known.add(key);
      const traffic = points.get(pointKey) ?? trafficSamples(rules, addr.family, names);
      points.set(pointKey, traffic);
      this.#work += traffic.length * steps.length;
      if (this.#work > MAX_WORK) {
        this.isPartial = true;
        return;
      }
      for (const point of traffic) {
        const at = { ...point, family: addr.family };
        const hits = new Set<JudgedRule>(
          closed.filter(({ rule }, i) => isMeant[i] && rule.traffic.some((t) => trafficMatches(t, at, names))),
        );
        if (hits.size > 0) this.#judge(judged, hits);
      }
    }
    for (const { rule } of rules) this.#looked.add(rule);
  }

  findings(): Finding[] {
    return [...this.#states.values()].flatMap((s): Finding[] => {
      if (s.decided || isOfAgent(s.policy) || !isWritten(s.rule) || !this.#looked.has(s.rule)) return [];
      const head = { ref: s.policy.ref, path: s.rule.path };
      if (!s.matched) return [{ ...head, kind: "never-matches", message: neverText(s) }];
      const before = [...s.before];
      const more = before.length > MAX_NAMED ? ` and ${before.length - MAX_NAMED} more` : "";
      const others = `${before.slice(0, MAX_NAMED).join(", ")}${more}`;
      const [does, stands] = before.length === 1 ? ["does", "stands"] : ["do", "stand"];
      const message = s.isSame
        ? `Not needed: ${others} ${does} the same`
        : `Never decides: ${others} ${stands} before it`;
      return [{ ...head, kind: "shadowed", message }];
    });
  }

  #state(rule: Rule, policy: Policy, direction: Direction): void {
    if (!this.#states.has(rule))
      this.#states.set(rule, {
        policy,
        rule,
        direction,
        matched: false,
        decided: false,
        before: new Set(),
        isSame: true,
      });
  }

  #judge(steps: readonly Step[], hits: ReadonlySet<JudgedRule>): void {
    // Staged policies are judged as if they were in force, and those in force as they are.
    for (const withStaged of [false, true]) {
      const reached = new Set<Step>();
      const passed = new Map<number, Step>();
      const { by, isAllowed } = walk(
        steps,
        (step) => {
          const isHit = hits.has(step as JudgedRule);
          if (isHit) reached.add(step);
          if (isHit && step.rule.action === "pass") passed.set(step.tier, step);
          return isHit;
        },
        withStaged,
      );
      for (const step of hits) {
        if (step.isStaged !== withStaged) continue;
        const state = this.#states.get(step.of);
        if (state === undefined) continue;
        state.matched = true;
        if (reached.has(step)) state.decided = true;
        else {
          const before = passed.get(step.tier) ?? by;
          if (before === undefined) continue;
          state.before.add(stepText(before));
          const does = before.kind === "rule" ? before.rule.action : isAllowed ? "allow" : "deny";
          if (step.rule.action !== does) state.isSame = false;
        }
      }
    }
  }
}

function neverText({ rule, direction }: RuleState): string {
  if (rule.notEnforced.length > 0)
    return `Matches nothing, since it asks for what is not enforced: ${rule.notEnforced.join(", ")}`;
  if (rule.traffic.length === 0) return "Matches no traffic";
  const named = rule.traffic.flatMap((t) => (t.ports ?? []).flatMap((p) => (p.kind === "named" ? [p.name] : [])));
  const other = direction === "ingress" ? "source" : "destination";
  const ports = named.length === 0 ? "" : `, or no port is named ${[...new Set(named)].join(" or ")}`;
  return `Matches nothing that is there: no pod, node or network is such a ${other}${ports}`;
}

function selectsNothing(world: World, policies: readonly Policy[]): Finding[] {
  const pods = [...world.pods.values()].flatMap((e) => (e.pod === undefined ? [] : (world.subject(e.pod) ?? [])));
  const nodes = world.nodes.flatMap((n) => n.internalIps.slice(0, 1).map((a) => world.peer(a, n.name)));
  const idle = policies.filter(
    (p) => !(p.subject.of === "pods" ? pods : nodes).some((f) => matchesPeer(p.subject.is, f)),
  );
  // An object may be several policies: it selects nothing when none of them does.
  const busy = new Set(policies.filter((p) => !idle.includes(p)).map((p) => refText(p.ref)));
  const byObject = Map.groupBy(idle, (p) => refText(p.ref));
  return [...byObject].flatMap(([text, [first, ...rest]]) => {
    if (busy.has(text) || first === undefined) return [];
    const kinds = new Set([first, ...rest].map((p) => (p.subject.of === "pods" ? "no pod" : "no node")));
    const [what = "", ...others] = kinds;
    const message = `${[`N${what.slice(1)}`, ...others].join(" and ")} is selected`;
    return [{ kind: "selects-nothing", ref: first.ref, path: "spec", message } as const];
  });
}

function missingTiers(world: World): Finding[] {
  const declared = new Set([...world.rules.tiers, ...BUILT_IN_TIERS].map((t) => t.name));
  const found = new Map<string, Finding>();
  for (const { ref, tier } of world.rules.policies)
    if (!declared.has(tier))
      found.set(refText(ref), {
        kind: "tier-missing",
        ref,
        path: "spec.tier",
        message: `There is no tier "${tier}": the policy stands where the tier default stands`,
      });
  return [...found.values()];
}

/** What the agent's configuration says, and no object. */
function isOfAgent(policy: Policy): boolean {
  return isFailsafe(policy) || policy.ref.kind === "Configuration";
}

/** All pods, and nodes as far as somebody speaks of them: towards pods, and towards the wire. */
function* everybody(world: World): Generator<Judged> {
  const outside: WorldEnd = { name: "", kind: "outside", addrs: [], pod: undefined };
  const [pod = outside] = world.pods.values();
  for (const end of world.pods.values()) {
    const who = world.judgedAt(end, outside);
    if (who !== undefined) yield who;
  }
  for (const node of world.nodes) {
    const end: WorldEnd = { name: node.name, kind: "node", addrs: [], pod: undefined, node };
    for (const other of [outside, pod]) {
      const who = world.judgedAt(end, other);
      if (who !== undefined) yield who;
    }
  }
}

/** Looks at all policies of a world. */
export function lint(world: World): LintResult {
  const all = [...world.rules.policies];
  const policies = all.filter((p) => !isOfAgent(p));
  const linter = new Linter(world);
  const known = new Set<string>();
  const tags = new Map(all.map((p, i) => [p, i]));
  for (const who of everybody(world))
    for (const direction of ["ingress", "egress"] as const) {
      const steps = walkOf(policiesFor(world.ordered, who.of, who.facts, direction), direction);
      const walked = steps.map((s) => (s.kind === "rule" ? tags.get(s.policy) : -1)).join();
      const names = who.facts.namedPorts.map((n) => `${n.name}/${n.protocol}/${n.port}`).join();
      const key = `${direction} ${who.seenFrom ?? ""} ${direction === "ingress" ? names : ""} ${walked}`;
      if (known.has(key)) continue;
      known.add(key);
      linter.look(steps, who.facts, direction, who.seenFrom);
    }
  const findings = [...missingTiers(world), ...selectsNothing(world, policies), ...linter.findings()];
  const order = (f: Finding) => `${refText(f.ref)} ${f.path}`;
  findings.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return { findings, isPartial: linter.isPartial };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ToldEvent } from "../flow/told.ts";
import { paletteFor } from "./colour.ts";
import { eventText, lostText } from "./event-text.ts";

const PLAIN = paletteFor(false, {});
const RULE = { number: 17, name: "", isolatedBy: [], isCurrent: true };

const DENIED: ToldEvent = {
  time: "2026-01-02T03:04:05.678Z",
  verdict: "denied",
  kind: "denied",
  reason: "policy",
  reasonText: "denied by policy",
  direction: "ingress",
  hook: "from_pod",
  ifindex: 7,
  bytes: 74,
  etherType: 0x0800,
  protocol: "TCP",
  tcpFlags: "SYN",
  icmp: undefined,
  source: { address: "10.244.1.5", port: 40_000, pod: "default/a", node: undefined, identity: 300 },
  destination: { address: "fd00::9", port: 80, pod: undefined, node: "node-2", identity: undefined },
  rule: { ...RULE, object: "NetworkPolicy default/web", path: "spec.ingress[0].from[1]" },
  because: undefined,
  bank: 4,
};

const NO_POLICY = { direction: undefined, rule: undefined, bank: undefined } as const;

const show = (change: Partial<ToldEvent> = {}) => eventText({ ...DENIED, ...change }, PLAIN);

test("a denied packet, with both ends and the rule that decided", () => {
  assert.equal(
    show(),
    "03:04:05.678 denied      ingress     default/a (10.244.1.5:40000 id 300) → node node-2 ([fd00::9]:80) TCP SYN by NetworkPolicy default/web spec.ingress[0].from[1]\n",
  );
});

const CASES: readonly (readonly [string, Partial<ToldEvent>, RegExp])[] = [
  [
    "an end of a tier names who put the endpoint under it",
    { rule: { ...RULE, object: undefined, path: "end of tier default", isolatedBy: ["A a", "B b", "C c", "D d"] } },
    /by A a, B b, C c and 1 more: no rule allows it \(end of tier default\)$/,
  ],
  ["an end of a tier alone has its number", { rule: { ...RULE, object: undefined, path: "x" } }, /by x \(rule 17\)$/],
  [
    "a rule with a name, removed since",
    { rule: { ...RULE, object: "A a", path: "p", name: "n", isCurrent: false } },
    /by A a p "n" \(removed\)$/,
  ],
  ["no rule", { rule: undefined, because: "its rules did not fit" }, /by no rule: its rules did not fit$/],
  ["no staged rule", { rule: undefined, verdict: "would-allow" }, / would-allow .* by no rule$/],
  [
    "a drop",
    { ...NO_POLICY, verdict: "dropped", reasonText: "hop limit used up" },
    /dropped +from_pod .* hop limit used up$/,
  ],
  ["ICMP", { protocol: "ICMP", tcpFlags: undefined, icmp: { type: 8, code: 0, id: 1 } }, / ICMP type 8 code 0 by /],
  [
    "no IP",
    {
      ...NO_POLICY,
      source: undefined,
      destination: undefined,
      protocol: undefined,
      etherType: 0x88cc,
      reasonText: "r",
    },
    / device 7 EtherType 0x88cc r$/,
  ],
];

for (const [name, change, expected] of CASES) test(name, () => assert.match(show(change).trimEnd(), expected));

test("what is missing is said where it is missing", () => {
  assert.equal(lostText({ lost: 1, where: "ring" }, PLAIN), "… 1 event lost: came faster than the agent takes them\n");
  assert.match(lostText({ lost: 2, where: "follower" }, PLAIN), /^… 2 events lost: .* read here\n$/);
});

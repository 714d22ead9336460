import assert from "node:assert/strict";
import { test } from "node:test";
import { addr } from "../net/addr.ts";
import { EVENT_BYTES, type Event, encodeEvent, Metric } from "../net/gen/bpf-maps.ts";
import { decodeFlowEvent, type FlowEvent, verdictOf } from "./event.ts";
import { viewOf } from "./records.ts";
import { DENIED_EVENT } from "./testing.ts";
import { type EventNames, isOfPods, tellEvent } from "./told.ts";

const DENIED: Event = { ...DENIED_EVENT, dst: addr("192.0.2.1").bytes, dstPort: 443, dstIdentity: 0 };

const NAMES: EventNames = {
  at(a) {
    if (a.text === "10.244.1.5") return { kind: "pod", name: "default/a" };
    return a.text === "192.0.2.1" ? { kind: "node", name: "node-2" } : undefined;
  },
  rule: (n) =>
    n === 17
      ? { object: "NetworkPolicy default/web", path: "spec.egress[0]", name: "", isolatedBy: [], isCurrent: true }
      : undefined,
  whyClosed: (a) => `closed: ${a.text}`,
};

function event(change: Partial<Event> = {}): FlowEvent {
  const found = decodeFlowEvent(viewOf(encodeEvent({ ...DENIED, ...change })), 0, EVENT_BYTES);
  assert.ok(found);
  return found;
}

const tell = (change: Partial<Event> = {}) => tellEvent(event(change), "2023-11-14T22:13:20.123Z", NAMES);

test("a denied packet names both ends, identities, and the rule by its object and place", () => {
  assert.deepEqual(tell(), {
    time: "2023-11-14T22:13:20.123Z",
    verdict: "denied",
    kind: "denied",
    reason: "policy",
    reasonText: "denied by policy",
    direction: "egress",
    hook: "from_pod",
    ifindex: 7,
    bytes: 74,
    etherType: 0x0800,
    protocol: "TCP",
    tcpFlags: "SYN",
    icmp: undefined,
    source: { address: "10.244.1.5", port: 40_000, pod: "default/a", node: undefined, identity: 300 },
    destination: { address: "192.0.2.1", port: 443, pod: undefined, node: "node-2", identity: undefined },
    rule: {
      number: 17,
      object: "NetworkPolicy default/web",
      path: "spec.egress[0]",
      name: "",
      isolatedBy: [],
      isCurrent: true,
    },
    because: undefined,
    bank: 4,
  });
});

test("without a rule it is said why, of the end whose rules were asked", () => {
  assert.deepEqual([tell({ rule: 0 }).rule, tell({ rule: 0 }).because], [undefined, "closed: 10.244.1.5"]);
  assert.equal(tell({ rule: 0, direction: 1 }).because, "closed: 192.0.2.1");
});

test("a rule that nobody knows any more has its number, and is not made up", () => {
  const { rule } = tell({ rule: 3 });
  assert.deepEqual([rule?.number, rule?.object, rule?.isCurrent], [3, undefined, false]);
});

test("what was not parsed has no ends, and no policy", () => {
  const told = tell({ reason: Metric.dropNotIp, family: 0, direction: 0, rule: 0 });
  assert.deepEqual(
    [told.verdict, told.source, told.destination, told.rule, told.because, told.direction, told.bank],
    ["dropped", undefined, undefined, undefined, undefined, undefined, undefined],
  );
});

test("verdicts by kind and by what was said", () => {
  const of = (reason: number, isAllowed: number) => verdictOf(event({ reason, isAllowed }));
  assert.deepEqual(
    [
      of(Metric.dropTtl, 0),
      of(Metric.dropPolicy, 0),
      of(Metric.policyLogged, 0),
      of(Metric.policyLogged, 1),
      of(Metric.policyStaged, 0),
      of(Metric.policyStaged, 1),
    ],
    ["dropped", "denied", "denied", "allowed", "would-deny", "would-allow"],
  );
});

test("pods at either end", () => {
  const wants = (...pods: string[]) => isOfPods(event(), new Set(pods), NAMES);
  assert.deepEqual([wants(), wants("default/a"), wants("default/b"), wants("node-2")], [true, true, false, false]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { addr } from "../net/addr.ts";
import type { FlowEvent } from "./event.ts";
import { matchesFilter } from "./filter.ts";
import { parseEventQuery } from "./query.ts";

const parse = (text: string) => parseEventQuery(new URLSearchParams(text));

test("no condition wants everything, nothing of the past, and ends", () => {
  assert.deepEqual(unwrap(parse("")), {
    kinds: new Set(),
    verdicts: new Set(),
    reasons: new Set(),
    prefixes: [],
    pods: new Set(),
    last: 0,
    follows: false,
  });
});

test("a question with everything", () => {
  const q = unwrap(
    parse(
      "kind=drop&kind=denied&verdict=would-deny&reason=drop_no_route&ip=10.0.0.0/8&ip=fd00::1&pod=a/b&last=20&follow=true",
    ),
  );
  assert.deepEqual([...q.kinds], ["drop", "denied"]);
  assert.deepEqual([...q.verdicts, ...q.reasons], ["would-deny", "no_route"]);
  assert.deepEqual(
    q.prefixes.map((p) => p.text),
    ["10.0.0.0/8", "fd00::1/128"],
  );
  assert.deepEqual([[...q.pods], q.last, q.follows], [["a/b"], 20, true]);
});

const WRONG: readonly (readonly [string, RegExp])[] = [
  ["kind=drops", /^"drops" is no kind of event: "drop" is$/],
  ["verdict=denid", /^"denid" is no verdict: "denied" is$/],
  ["reason=no_rout", /^"no_rout" is no reason of an event: "no_route" is$/],
  ["ip=10.0.0.1/8", /^"10\.0\.0\.1\/8" has host bits set: "10\.0\.0\.0\/8" would be right$/],
  ["ip=host", /"host"/],
  ["pod=web", /^"web" is no pod: NAMESPACE\/NAME is/],
  ["last=-1", /^"-1" is no number of past events: 0 to 4096/],
  ["last=4097", /4096/],
  ["follow=yes", /^"yes" is neither true nor false$/],
  ["pot=a/b", /^There is no such condition: "pod" is$/],
  [Array(70).fill("pod=a/b").join("&"), /^More than 64 conditions$/],
];

for (const [text, message] of WRONG)
  test(`refused: ${text.slice(0, 30)}`, () => {
    const parsed = parse(text);
    assert.ok(!parsed.ok);
    assert.deepEqual(parsed.error.length, 1);
    assert.match(parsed.error[0]?.message ?? "", message);
  });

test("every wrong word is told, not the first", () => {
  const parsed = parse("kind=x&ip=y&last=z");
  assert.deepEqual(parsed.ok ? [] : parsed.error.map((i) => i.path), ["kind", "ip", "last"]);
});

test("what is wanted", () => {
  const end = (text: string) => ({ addr: addr(text), port: 1 });
  const e = { kind: "drop", reason: "no_route", source: end("10.1.2.3"), destination: end("192.0.2.1") } as FlowEvent;
  const blind = { kind: "drop", reason: "not_ip" } as FlowEvent;
  const wants = (text: string, event = e) => matchesFilter(unwrap(parse(text)), event);
  for (const text of [
    "",
    "kind=drop",
    "verdict=dropped",
    "reason=no_route",
    "ip=10.0.0.0/8",
    "ip=192.0.2.1",
    "kind=denied&kind=drop&ip=10.1.2.3",
  ])
    assert.ok(wants(text), text);
  for (const text of [
    "kind=denied",
    "verdict=allowed",
    "reason=ttl",
    "ip=10.2.0.0/16",
    "ip=::/0",
    "kind=drop&ip=10.9.9.9",
  ])
    assert.ok(!wants(text), text);
  assert.ok(wants("kind=drop", blind));
  assert.ok(!wants("ip=0.0.0.0/0", blind), "a packet without addresses is nobody's");
});

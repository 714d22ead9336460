import assert from "node:assert/strict";
import { test } from "node:test";
import { addEvent, clusterLines, emptyPicture, failureLines, PLAIN, stepLine, tableLines } from "./picture.ts";

test("the table shows counts where checks ran and dots where not, in equal widths", () => {
  const p = emptyPicture();
  addEvent(p, { kind: "cell", group: "pod-outside", family: 6, column: "icmp", count: { passed: 6, failed: 0 } });
  addEvent(p, { kind: "cell", group: "pod-outside", family: 4, column: "tcp", count: { passed: 4, failed: 2 } });
  const lines = tableLines(p, PLAIN);
  const row = lines.find((l) => l.startsWith("pod → outside"))!;
  assert.match(row, /✘ {2}2/);
  assert.match(row, /✔ {2}6/);
  assert.equal(lines.length, 3 + 7);
});

test("nodes stand in order with their pods, and say what they wait for", () => {
  const p = emptyPicture();
  for (const name of ["node-10", "node-2"])
    addEvent(p, { kind: "node", name, addresses: ["192.0.2.1"], state: "ready", isReady: true });
  addEvent(p, { kind: "pod", name: "b", node: "node-2", addresses: [], state: "no network yet", isReady: false });
  addEvent(p, { kind: "pod", name: "a", node: "node-2", addresses: ["10.0.0.1"], state: "ready", isReady: true });
  assert.deepEqual(clusterLines(p, PLAIN), [
    " ┬── ● node-2  192.0.2.1",
    " │      ● a  10.0.0.1",
    " │      ○ b  no network yet",
    " ├── ● node-10  192.0.2.1",
    " └── router ── outside",
  ]);
});

test("failures are listed up to a bound", () => {
  const p = emptyPicture();
  for (let i = 0; i < 5; i++)
    addEvent(p, { kind: "failure", failure: { group: "pod-outside", column: "tcp", family: 4, text: `f${i}` } });
  assert.deepEqual(failureLines(p, PLAIN, 2), ["✘ f0", "✘ f1", "  … and 3 more"]);
  assert.equal(stepLine({ text: "done", atMs: 1234 }, PLAIN), "✔ done · 1.23 s");
});

test("on a narrow terminal the families stand one below the other", () => {
  const lines = tableLines(emptyPicture(), PLAIN, 80);
  assert.equal(lines.length, 2 * 10 + 1);
  assert.ok(lines.every((l) => l.length < 80));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Serial } from "./serial.ts";

test("works of one name run one after another, in order; others do not wait", async () => {
  const serial = new Serial(10);
  const gate = Promise.withResolvers<void>();
  const log: string[] = [];
  const first = serial.run("a", async () => {
    log.push("a1 begins");
    await gate.promise;
    log.push("a1 ends");
  });
  const second = serial.run("a", () => log.push("a2"));
  await serial.run("b", () => log.push("b1"));
  assert.deepEqual(log, ["a1 begins", "b1"]);
  assert.equal(serial.waiting, 1);
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(log, ["a1 begins", "b1", "a1 ends", "a2"]);
  assert.equal(serial.waiting, 0);
});

test("a failure reaches its own caller only", async () => {
  const serial = new Serial(10);
  const failing = serial.run("a", () => Promise.reject(new Error("mine")));
  const next = serial.run("a", () => "fine");
  await assert.rejects(failing, /mine/);
  assert.equal(await next, "fine");
  await assert.rejects(
    serial.run("a", () => {
      throw new Error("at once");
    }),
    /at once/,
  );
  assert.equal(await serial.run("a", () => "still fine"), "still fine");
});

test("fullness is for those who would have to wait", async () => {
  const serial = new Serial(1);
  const gate = Promise.withResolvers<void>();
  const works = [serial.run("a", () => gate.promise), serial.run("a", () => undefined)];
  assert.equal(serial.isFull("a"), true);
  assert.equal(serial.isFull("b"), false);
  gate.resolve();
  await Promise.all(works);
  assert.equal(serial.isFull("a"), false);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { err, ok, type Result, unwrap } from "./result.ts";

describe("result", () => {
  it("ok() and err() tell success from refusal", () => {
    assert.deepEqual(ok(3), { ok: true, value: 3 });
    assert.deepEqual(err("no"), { ok: false, error: "no" });
  });

  it("unwrap() gives the value of a success, also a falsy one", () => {
    for (const value of [0, "", false, undefined]) assert.equal(unwrap(ok(value)), value);
  });

  it("unwrap() throws the reason of a refusal", () => {
    const refusal: Result<number> = err("pool is empty");
    assert.throws(() => unwrap(refusal), { message: "Unexpected refusal: pool is empty" });
  });
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { assertNever } from "./assert-never.ts";

it("assertNever() names the value that no case took", () => {
  const stray = { kind: "new" } as never;
  assert.throws(() => assertNever(stray), { message: 'Unreachable case: {"kind":"new"}' });
});

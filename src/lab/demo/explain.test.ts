import assert from "node:assert/strict";
import { test } from "node:test";
import { oddities } from "./explain.ts";

test("a healthy status says nothing, an odd one names drops, reasons and rows that fail", () => {
  assert.deepEqual(
    oddities({ notReady: [], issues: [], packets: [{ name: "forward_local", packets: 9 }], reconcile: { failing: 0 } }),
    [],
  );
  assert.deepEqual(
    oddities({
      notReady: ["No pod CIDR"],
      packets: [
        { name: "drop_spoofed_source", packets: 2 },
        { name: "drop_x", packets: 0 },
      ],
      reconcile: { failing: 1 },
    }),
    ["not ready: No pod CIDR", "1 rows cannot be put into the kernel", "dropped 2 packets: spoofed source"],
  );
});

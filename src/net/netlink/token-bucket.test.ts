import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readMessages } from "./reader.ts";
import { readTokenBucket, writeNewTokenBucket } from "./token-bucket.ts";
import { NetlinkWriter } from "./writer.ts";

function written(bucket: { rateBytes: number; burstBytes: number; limitBytes: number }): Uint8Array {
  const w = new NetlinkWriter();
  writeNewTokenBucket(w, { index: 7, bucket, flags: 0, sequence: 1 });
  return readMessages(w.take()).messages[0]?.payload ?? assert.fail("nothing was written");
}

test("what is written is read back; a bucket's depth as near as a tick of its time", () => {
  const rate = fc.integer({ min: 1000, max: 1e13 });
  const size = fc.integer({ min: 1500, max: 0xffff_ffff });
  fc.assert(
    fc.property(rate, size, size, (rateBytes, burst, limitBytes) => {
      const burstBytes = Math.min(burst, rateBytes * 200);
      const read = readTokenBucket(written({ rateBytes, burstBytes, limitBytes }));
      assert.deepEqual([read?.index, read?.rateBytes, read?.limitBytes], [7, rateBytes, limitBytes]);
      assert.ok(Math.abs((read?.burstBytes ?? 0) - burstBytes) <= 1 + (64 * rateBytes) / 1e9);
    }),
  );
});

test("bytes of any kind are no bucket, and no error", () => {
  const whole = written({ rateBytes: 1e6, burstBytes: 1e5, limitBytes: 1e5 });
  for (let n = 0; n < whole.length; n++) readTokenBucket(whole.subarray(0, n));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void readTokenBucket(bytes)));
});

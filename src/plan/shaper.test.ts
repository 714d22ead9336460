import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bandwidth } from "../model/endpoint.ts";
import { bucketOf } from "./shaper.ts";

const KIB = 1024;
const MTU = 1450;

const CASES: readonly (readonly [name: string, limit: Bandwidth, expected: readonly [number, number, number]])[] = [
  ["bits become bytes", { rateBits: 50e6, burstBits: 8e6 }, [6_250_000, 1_000_000, 156_250 + 128 * KIB]],
  ["a part of a byte counts", { rateBits: 801, burstBits: 1 }, [101, MTU + 18, 3 + 128 * KIB]],
  ["a rate at which no packet's bucket fills in time", { rateBits: 1, burstBits: 1 }, [8, MTU + 18, 128 * KIB]],
  [
    "no burst asked for: what the rate gives in 100 ms",
    { rateBits: 80e6, burstBits: 0 },
    [10e6, 1e6, 250_000 + 128 * KIB],
  ],
  ["… and room for a segment", { rateBits: 8e3, burstBits: 0 }, [1000, 128 * KIB, 25 + 128 * KIB]],
  ["a burst that no packet fits in", { rateBits: 8e6, burstBits: 800 }, [1e6, MTU + 18, 25_000 + 128 * KIB]],
  ["containerd's burst", { rateBits: 50e6, burstBits: 2 ** 31 - 1 }, [6_250_000, 2 ** 28, 156_250 + 128 * KIB]],
  [
    "a bucket takes no longer to fill than the kernel can tell",
    { rateBits: 8e3, burstBits: 2 ** 31 },
    [1000, 200_000, 25 + 128 * KIB],
  ],
  [
    "more than 32 bits of bytes a second",
    { rateBits: 1e12, burstBits: 0 },
    [1.25e11, 2 ** 32 - 1, 3.125e9 + 128 * KIB],
  ],
  ["more than a bucket can be made for", { rateBits: 1e15, burstBits: 0 }, [1.25e12, 2 ** 32 - 1, 2 ** 32 - 1]],
];

for (const [name, limit, [rateBytes, burstBytes, limitBytes]] of CASES)
  test(name, () => assert.deepEqual(bucketOf(limit, "tws0", MTU), { link: "tws0", rateBytes, burstBytes, limitBytes }));

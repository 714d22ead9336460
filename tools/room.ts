/** Inside a room: runs one test file, looks whether it left something in the room, and prints a {@link RoomReport}. */

import { newThings, photograph } from "./leaks.ts";
import type { RoomReport } from "./rooms.ts";
import { runFiles } from "./run-files.ts";
import { addTallies, noTests } from "./tally.ts";

const [file = "", limit] = process.argv.slice(2);
const lines: string[] = [];
const before = photograph("room");
const result = await runFiles([file], (line) => lines.push(line), { limitMs: Number(limit), concurrency: 1 });
const left = newThings(before, photograph("room")).map((thing) => `left behind by ${file}: ${thing}`);
const report: RoomReport = {
  lines: [...lines, ...left.map((l) => `  ✖ ${l}`)],
  result: {
    tally: addTallies(result.tally, { ...noTests, failed: left.length }),
    skips: result.skips,
    failures: [...result.failures, ...left],
  },
};
process.stdout.write(JSON.stringify(report));

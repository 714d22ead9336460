/** Makes a box with a process in it, tells of both, and waits to be killed. */

import { openBox, spawnIn } from "../../src/lab/box.ts";
import { childrenOf, identify } from "../../src/lab/process.ts";
import { until } from "./wait.ts";

const box = await openBox({ name: "owned", setUp: [] });
const child = spawnIn(box, ["sleep", "1000"], { stdio: "ignore" });
await until(() => childrenOf(child.pid ?? 0).length > 0, "the process in the box");
process.stdout.write(`${JSON.stringify([box.keeper, box.init, identify(childrenOf(child.pid ?? 0)[0] ?? 0)])}\n`);

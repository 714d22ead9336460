/** Pods that answer, for tests that need some on certain nodes. */

import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { echoPod } from "../../src/lab/demo/run.ts";
import type { Lab } from "../../src/lab/lab.ts";

const READY_MS = 120_000;

/** Creates pods in the namespace `default` and waits until they are ready. */
export async function addPods(lab: Lab, ...pods: readonly (readonly [name: string, node: string])[]): Promise<void> {
  for (const [name, node] of pods) lab.objects.create(echoPod(name, node));
  await lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default" },
    (all) => pods.every(([name]) => all.some((p) => p.metadata.name === name && isPodReady(p))),
    READY_MS,
    `pods ${pods.map(([name]) => name).join(", ")} to be ready`,
  );
}

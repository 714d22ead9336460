/** A Deployment is rolled in the lab while connections come from a pod and, through a node port, from outside. */

import { after, before, test } from "node:test";
import { isPodReady } from "../../src/lab/controllers/loop.ts";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { rollsUnharmed } from "./rolling.cases.ts";

const BACKENDS = 10;
/** From inside, and as many from outside: what a machine of two cores carries beside a lab. */
const PER_SECOND = 250;
const ROLLED_MS = 240_000;

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({ name: "test-service-rolling", nodes: 2 });
  await s.pods({ client: "node-1" });
});
after(() => s?.[Symbol.asyncDispose]());

async function rolled(version: string, count: number): Promise<void> {
  await s.lab.until(
    { apiVersion: "v1", kind: "Pod", namespace: "default", labelSelector: "app=rolled" },
    (pods) =>
      pods.length === count && pods.every((p) => p.metadata.annotations?.["version"] === version && isPodReady(p)),
    ROLLED_MS,
    `${count} pods of version ${version} and no other`,
  );
}

test("no connection fails while ten backends are replaced, from inside and through a node port", (t) =>
  rollsUnharmed(t, {
    stage: s,
    image: ECHO_IMAGE,
    backends: BACKENDS,
    drainSeconds: 3,
    perSecond: PER_SECOND,
    apply: (deployment) => void s.lab.objects.apply(deployment as never),
    rolled,
  }));

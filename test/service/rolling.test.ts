/** A Deployment is rolled in the lab while connections come from a pod and, through a node port, from outside. */

import { after, before, test } from "node:test";
import { ECHO_IMAGE } from "../../src/lab/kubelet/image.ts";
import { rolledInLab, type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { rollsUnharmed } from "./rolling.cases.ts";

const BACKENDS = 10;
/** A thousand from inside and a thousand from outside; a busy machine carries less, and says so. */
const PER_SECOND = { sockets: 900, packets: 100, outside: 1_000 } as const;

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({ name: "test-service-rolling", nodes: 2 });
  await s.pods({ client: "node-1" });
});
after(() => s?.[Symbol.asyncDispose]());

test("no connection fails while ten backends are replaced, from inside and through a node port", (t) =>
  rollsUnharmed(t, {
    stage: s,
    image: ECHO_IMAGE,
    backends: BACKENDS,
    drainSeconds: 10,
    perSecond: PER_SECOND,
    clientBox: s.lab.node("node-1").box,
    apply: (deployment) => void s.lab.objects.apply(deployment as never),
    rolled: rolledInLab(s),
  }));

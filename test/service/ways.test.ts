/** Every behaviour of services with real packets, in both families, between pods, nodes and somebody outside of the lab. */

import { after, before } from "node:test";
import { type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";
import { SERVICE_PARTS, serviceWays } from "./ways.cases.ts";

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({ name: "test-service-ways", nodes: 2 });
  await s.pods({ "web-1": "node-1", "web-2": "node-2" }, { app: "web" });
  await s.pods({ "client-1": "node-1", "client-2": "node-2" });
});
after(() => s?.[Symbol.asyncDispose]());

serviceWays(() => s, SERVICE_PARTS);

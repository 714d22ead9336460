import assert from "node:assert/strict";
import { test } from "node:test";
import type { PortReport, ServiceReport } from "../../agent/service/service-report.ts";
import { paletteFor } from "../colour.ts";
import { formatService, formatServices } from "./service.ts";

const BACKEND = { number: 5, node: "node-1", zone: "", state: "ready", isInCluster: true, isInLocal: false } as const;
const FRONTEND = {
  inside: "cluster",
  outside: undefined,
  isRestricted: false,
  lostTo: undefined,
  announce: undefined,
} as const;
const PORT: PortReport = {
  name: "http",
  port: 80,
  protocol: "TCP",
  family: 4,
  number: 7,
  algorithm: "maglev",
  affinitySeconds: 60,
  narrowedBy: "zone",
  sources: ["203.0.113.0/24"],
  frontends: [
    { ...FRONTEND, kind: "ClusterIP", address: "10.96.0.1:80", inside: "local" },
    { ...FRONTEND, kind: "LoadBalancer", address: "192.0.2.1:80", outside: "local", isRestricted: true },
  ],
  backends: [
    { ...BACKEND, address: "10.0.0.1:8080", isInLocal: true },
    { ...BACKEND, address: "10.0.0.2:8080" },
    { ...BACKEND, address: "10.0.0.3:8080", state: "ending", isInCluster: false, number: 0, node: "" },
  ],
};
const WEB: ServiceReport = {
  namespace: "shop",
  name: "web",
  type: "LoadBalancer",
  unserved: undefined,
  issues: ["something is wrong"],
  ports: [PORT],
};
const BARE: ServiceReport = {
  ...WEB,
  name: "bare",
  type: "ClusterIP",
  unserved: "it is headless",
  issues: [],
  ports: [],
};

test("every address of every service on a line", () => {
  assert.equal(
    formatServices([BARE, WEB]),
    `SERVICE    KIND          ADDRESS       PROTOCOL  BACKENDS  TRAITS
shop/bare  ClusterIP     -             -         -         it is headless
shop/web   ClusterIP     10.96.0.1:80  TCP       1/3       inside local, affinity 60s, maglev, near by zone
shop/web   LoadBalancer  192.0.2.1:80  TCP       2/3       outside local, affinity 60s, maglev, near by zone, from 203.0.113.0/24
`,
  );
  assert.equal(formatServices([]), "There are no services.\n");
});

test("who announces a load balancer's address", () => {
  const [clusterIp, balancer] = PORT.frontends;
  const nodes = ["node-2", "node-1"];
  for (const [announce, words] of [
    [{ nodes, here: "held" }, "announced here"],
    [{ nodes, here: "standby" }, "announced by node-2, this node stands by"],
    [{ nodes, here: undefined }, "announced by node-2"],
    [{ nodes: [], here: undefined }, "announced by nobody"],
  ] as const) {
    const port: PortReport = { ...PORT, frontends: [clusterIp!, { ...balancer!, announce }] };
    const [, , line = ""] = formatServices([{ ...WEB, ports: [port] }]).split("\n");
    assert.match(line, new RegExp(`from 203\\.0\\.113\\.0/24, ${words}$`));
  }
});

test("one service with all that is behind it", () => {
  const text = formatService(WEB, paletteFor(false, {}));
  assert.match(text, /^shop\/web LoadBalancer\n! something is wrong\n\n80\/TCP "http" IPv4, number 7\n/);
  assert.match(text, /^10\.0\.0\.1:8080 +ready +cluster, local +node-1 +- +5$/m);
  assert.match(text, /^10\.0\.0\.3:8080 +ending +nothing new +- +- +-$/m);
  const alone = formatService({ ...WEB, ports: [{ ...PORT, backends: [] }] }, paletteFor(false, {}));
  assert.match(alone, /nobody is behind it/);
});

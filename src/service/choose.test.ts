import assert from "node:assert/strict";
import { test } from "node:test";
import { planService } from "./service-plan.ts";
import { CONTEXT, plan, service, slice } from "./testing.ts";

const LOCAL = { internalTrafficPolicy: "Local" };
const V4 = { clusterIP: "10.96.0.1" };

/** Name, endpoints, who answers under Cluster and under Local. */
const CASES: readonly (readonly [string, readonly string[], readonly number[], readonly number[]])[] = [
  ["ready ones answer", ["10.0.0.1 node=here", "10.0.0.2 node=there"], [1, 2], [1]],
  ["who is not ready does not", ["10.0.0.1 node=here unready", "10.0.0.2 node=there"], [2], []],
  ["who ends does not while another is ready", ["10.0.0.1 node=here ending", "10.0.0.2 node=there"], [2], [1]],
  ["who ends answers when nobody else does", ["10.0.0.1 node=here ending", "10.0.0.2 ending"], [1, 2], [1]],
  ["who ends and serves no more never does", ["10.0.0.1 node=here gone", "10.0.0.2 node=there gone"], [], []],
  ["a ready one here keeps who ends here away", ["10.0.0.1 node=here", "10.0.0.2 node=here ending"], [1], [1]],
  ["hints of the zone", ["10.0.0.1 node=here for=a", "10.0.0.2 node=there for=b"], [1], [1]],
  ["all or nothing: one without a hint", ["10.0.0.1 node=here for=a", "10.0.0.2 node=there"], [1, 2], [1]],
  ["hints that leave our zone out", ["10.0.0.1 node=here for=b", "10.0.0.2 node=there for=c"], [1, 2], [1]],
  ["a hint may name several zones", ["10.0.0.1 node=x for=b,a", "10.0.0.2 node=y for=b"], [1], []],
  ["hints of who is not ready do not count", ["10.0.0.1 node=x for=a", "10.0.0.2 node=y unready"], [1], []],
  ["hints do not matter to who ends", ["10.0.0.1 ending for=b", "10.0.0.2 ending for=a"], [1, 2], []],
  [
    "a node's hint comes before the zone's",
    ["10.0.0.1 node=here for=a fornode=here", "10.0.0.2 node=y for=a fornode=y"],
    [1],
    [1],
  ],
  [
    "no hint for this node: the zone's",
    ["10.0.0.1 node=x for=a fornode=x", "10.0.0.2 node=y for=b fornode=y"],
    [1],
    [],
  ],
];

for (const [name, endpoints, cluster, local] of CASES)
  test(`choice: ${name}`, () => {
    const choice = plan({ ...V4, ...LOCAL }, endpoints).ports[0]?.choice;
    const last = (list: readonly { readonly addr: { readonly text: string } }[] = []) =>
      list.map((b) => Number(b.addr.text.split(".").at(-1)));
    assert.deepEqual([last(choice?.cluster), last(choice?.local)], [cluster, local]);
  });

test("without a zone of the node, hints of zones do not count", () => {
  const endpoints = ["10.0.0.1 for=a", "10.0.0.2 for=b"];
  const { ports } = plan(V4, endpoints, { context: { place: { node: "here", zone: "" } } });
  assert.deepEqual([ports[0]?.choice.cluster.length, ports[0]?.choice.narrowing], [2, undefined]);
});

test("a port's backends are those of the slices' port of its name and protocol, each once, ready if one slice says so", () => {
  const web = service("web", {
    ports: [
      { name: "http", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ],
  });
  const both = [
    { name: "http", port: 8080 },
    { name: "dns", port: 5353, protocol: "UDP" },
    { name: "dns", port: 5454, protocol: "TCP" },
    { name: "http" },
  ];
  const slices = [slice("web", ["10.0.0.1 unready", "10.0.0.2"], both), slice("web", ["10.0.0.1", "fd00::1"], both)];
  const { ports } = planService(web, slices, CONTEXT);
  const shown = ports.map((p) => p.backends.map((b) => `${b.addr.text}:${b.port}/${b.protocol} ${b.state.isReady}`));
  assert.deepEqual(shown, [
    ["10.0.0.1:8080/6 true", "10.0.0.2:8080/6 true"],
    ["10.0.0.1:5353/17 true", "10.0.0.2:5353/17 true"],
  ]);
});

/** Answers to what is denied, at a real pod's link: its sockets take them for what they are, and say at once why. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { loadAddon } from "../../src/kernel/linux/addon.ts";
import { makeNetns, removeNetns, whyNoKernel } from "../../src/kernel/linux/test-bench.ts";
import { probe } from "../../src/lab/probe/probe.ts";
import { awaitLocalRoutes } from "../fixture/local-routes.ts";
import { NODE } from "./node.ts";
import { Plane } from "./plane.ts";
import { putPodA } from "./policy-way.ts";
import { refuseAll } from "./reject.cases.ts";

const { podA, podB } = NODE;
const BPF_TCX_INGRESS = 46;
const GATEWAY_MAC = "ee:ee:ee:ee:ee:ee";
const LINK = { name: "twl0", index: 77 };

const ip = (line: string) => execFileSync("ip", line.split(" "), { stdio: "pipe" });

/** A pod's namespace with pod A's addresses, on a link in this one. */
function makePod(): string {
  const netns = makeNetns();
  ip(`link add ${LINK.name} index ${LINK.index} address ${GATEWAY_MAC} type veth peer name eth0 address ${podA.mac}`);
  ip(`link set eth0 netns ${netns}`);
  ip(`link set ${LINK.name} up`);
  loadAddon().withNetns(netns, () => {
    ip(`addr add ${podA.v4}/32 dev eth0`);
    ip(`addr add ${podA.v6}/128 dev eth0 nodad`);
    ip("link set eth0 up");
    for (const gateway of ["169.254.1.1", "fe80::1"]) {
      const family = gateway.includes(":") ? "-6 " : "";
      ip(`${family}neigh add ${gateway} lladdr ${GATEWAY_MAC} dev eth0 nud permanent`);
      ip(`${family}route add default via ${gateway} dev eth0 onlink`);
    }
    awaitLocalRoutes([podA.v6]);
  });
  return netns;
}

describe("what is denied at a real link", { skip: whyNoKernel() }, () => {
  let netns: string;
  let plane: Plane;

  before(() => {
    netns = makePod();
    plane = new Plane();
    plane.setUp();
    refuseAll(plane);
    putPodA(plane, LINK.index);
    loadAddon().tcxCreate(undefined, plane.program("from_pod"), LINK.index, BPF_TCX_INGRESS);
  });
  after(() => {
    plane.close();
    removeNetns(netns);
  });

  for (const [protocol, to, reason] of [
    ["TCP", podB.v4, "ECONNREFUSED"],
    ["TCP", podB.v6, "ECONNREFUSED"],
    ["UDP", podB.v4, "EHOSTUNREACH"],
    ["UDP", podB.v6, "EACCES"],
  ] as const)
    it(`${protocol} to ${to} is told ${reason}, at once`, async () => {
      const { verdict, ...found } = await probe({ netns, protocol, to, port: 80, timeoutMs: 5_000 });
      assert.deepEqual([verdict, found.reason], ["refused", reason]);
    });
});

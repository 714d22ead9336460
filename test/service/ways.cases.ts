/**
 * Every behaviour of services as a table of cases with real packets, in both families. The lab is asked in ways.test.ts, a
 * real cluster without kube-proxy in test/cluster/services.test.ts.
 *
 * The stage has pods `web-1` on node-1 and `web-2` on node-2, labelled `app: web`, and `client-1` and `client-2` beside them.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually, type ServiceStage } from "../fixture/service-stage.ts";

const WEB = { selector: { app: "web" } };
const CLIENTS = ["default/client-1", "default/client-2"];
const NODES = ["node-1", "node-2"];
const ENDING = { conditions: { ready: false, serving: true, terminating: true } };

/** Of the range for node ports, and far from those that are given one after the other. */
const HEALTH_PORT = 32_750;

type Stage = ServiceStage;
type Case = (s: Stage) => Promise<void>;

/** What cannot be asked at some place, by the case's name, and why. */
export type LeftOut = Readonly<Record<string, string>>;

const FROM_PODS: Readonly<Record<string, Case>> = {
  async "a cluster IP leads to all backends, by TCP and UDP, at the service's ports"(s) {
    for (const ip of await s.service("web", WEB))
      for (const client of CLIENTS) {
        await s.answeredBy(["web-1", "web-2"], client, "TCP", ip, 8000);
        await s.answeredBy(["web-1", "web-2"], client, "UDP", ip, 5300);
      }
  },

  async "a backend sees the pod that asks"(s) {
    const ips = await s.service("web", WEB);
    for (const [i, ip] of ips.entries()) {
      const r = await s.ask("default/client-1", "TCP", ip, 8000);
      assert.equal(r.seenAddress, s.at("default/client-1").addresses[i]);
    }
  },

  async "a pod that is alone behind a service reaches itself"(s) {
    const ips = await s.service("self", {});
    await s.slices("self", s.endpoints("web-1"));
    for (const ip of ips) {
      await s.answeredBy(["web-1"], "default/web-1", "TCP", ip, 8000);
      await s.answeredBy(["web-1"], "default/web-1", "UDP", ip, 5300);
    }
  },

  async "a service that nobody is behind refuses at once"(s) {
    for (const ip of await s.service("nobody", {}))
      for (const protocol of ["TCP", "UDP"] as const)
        await eventually(async () => {
          const r = await s.ask("default/client-1", protocol, ip, protocol === "TCP" ? 8000 : 5300, 5_000);
          assert.equal(r.verdict, "refused", `${protocol} ${ip}`);
          assert.ok(r.ms < 1_000, `${r.ms} ms`);
        });
  },

  async "internalTrafficPolicy Local: the node's own backends only, and silence where it has none"(s) {
    const ips = await s.service("near", { internalTrafficPolicy: "Local" });
    await s.slices("near", s.endpoints("web-1"));
    for (const ip of ips) {
      await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
      await s.answeredBy(["timeout"], "default/client-2", "TCP", ip, 8000, 1);
    }
  },

  async "a node port leads to all backends from pods, too, at any node"(s) {
    await s.service("port", { ...WEB, type: "NodePort" });
    const port = await s.nodePort("port", "web");
    for (const node of NODES)
      for (const address of s.at(node).addresses)
        await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", address, port);
  },

  async "session affinity: one backend answers a client, always"(s) {
    for (const ip of await s.service("loyal", { ...WEB, sessionAffinity: "ClientIP" }))
      await eventually(async () => {
        const found = await s.answers("default/client-1", "TCP", ip, 8000, 30);
        assert.equal(found.length, 1, `${found}`);
        assert.match(found[0] ?? "", /^web-/);
      });
  },

  async "a headless service has no address, and one without selector has the backends of its slices"(s) {
    assert.deepEqual((await s.service("bare", { ...WEB, clusterIP: "None" }))[0], "None");
    const ips = await s.service("given", {});
    await s.slices("given", s.endpoints("web-2"));
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000);
  },
};

const COMING_AND_GOING: Readonly<Record<string, Case>> = {
  async "who ends gets nothing new while another is ready, and everything when nobody is"(s) {
    const ips = await s.service("ending", {});
    await s.slices("ending", [...s.endpoints("web-1", ENDING), ...s.endpoints("web-2")]);
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000, 20);
    await s.slices("ending", s.endpoints("web-1", ENDING));
    for (const ip of ips) await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
  },

  async "who is not ready gets nothing"(s) {
    const ips = await s.service("unready", {});
    await s.slices("unready", [...s.endpoints("web-1", { conditions: { ready: false } }), ...s.endpoints("web-2")]);
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "UDP", ip, 5300, 20);
  },

  async "a service that goes is gone, and its address refuses nobody else"(s) {
    const [v4] = await s.service("short", WEB);
    await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", v4, 8000);
    await s.removeService("short");
    await eventually(async () => {
      const r = await s.ask("default/client-1", "TCP", v4, 8000, 500);
      assert.notEqual(r.verdict, "ok");
    });
  },
};

const FROM_OUTSIDE: Readonly<Record<string, Case>> = {
  async "a node port leads to all backends at every node; who answers from another node sees the node"(s) {
    await s.service("port", { ...WEB, type: "NodePort" });
    for (const [protocol, name] of [
      ["TCP", "web"],
      ["UDP", "dns"],
    ] as const) {
      const port = await s.nodePort("port", name);
      for (const node of NODES)
        for (const [i, address] of s.at(node).addresses.entries()) {
          await s.answeredBy(["web-1", "web-2"], "outside", protocol, address, port);
          const near = `default/web-${node.slice(5)}`;
          await eventually(async () => {
            const r = await s.ask("outside", protocol, address, port);
            assert.ok(r.verdict === "ok" && r.server !== near, `the far one has not answered: ${r.server}`);
            assert.equal(r.seenAddress, s.at(node).addresses[i]);
          });
        }
    }
  },

  async "externalTrafficPolicy Local: the client's own address, and silence where there is no backend"(s) {
    await s.service("kept", { type: "NodePort", externalTrafficPolicy: "Local" });
    await s.slices("kept", s.endpoints("web-1"));
    const port = await s.nodePort("kept", "web");
    for (const [i, address] of s.at("node-1").addresses.entries()) {
      await s.answeredBy(["web-1"], "outside", "TCP", address, port);
      const r = await s.ask("outside", "TCP", address, port);
      assert.equal(r.seenAddress, s.at("outside").addresses[i]);
    }
    for (const address of s.at("node-2").addresses) await s.answeredBy(["timeout"], "outside", "TCP", address, port, 1);
  },

  async "healthCheckNodePort says which nodes have somebody behind a service"(s) {
    const local = { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: HEALTH_PORT };
    await s.service("watched", { ...local, ports: [{ name: "web", port: 8090, targetPort: "web" }] });
    await s.slices("watched", s.endpoints("web-1"));
    for (const [node, status] of [
      ["node-1", 200],
      ["node-2", 503],
    ] as const)
      for (const address of s.at(node).addresses)
        await eventually(async () => assert.equal(await s.httpStatus("outside", address, HEALTH_PORT), status, node));
  },

  async "a node port that nobody is behind refuses at once"(s) {
    await s.service("empty", { type: "NodePort" });
    const port = await s.nodePort("empty", "web");
    for (const address of s.at("node-1").addresses) await s.answeredBy(["refused"], "outside", "TCP", address, port, 1);
  },

  async "an external IP, and a load balancer's address with who may ask"(s) {
    const [v4 = "", v6 = ""] = s.at("node-1").addresses;
    const ports = [{ name: "web", port: 8088, targetPort: "web" }];
    await s.service("external", { ...WEB, ports, externalIPs: [v4, v6] });
    for (const ip of [v4, v6]) await s.answeredBy(["web-1", "web-2"], "outside", "TCP", ip, 8088);
    await s.removeService("external");
    const balanced = { ...WEB, type: "LoadBalancer", ports: [{ name: "web", port: 8089, targetPort: "web" }] };
    const status = { loadBalancer: { ingress: [{ ip: v4 }, { ip: v6 }] } };
    const ranges = ["198.51.100.0/24", "2001:db8:51::/64"];
    await s.service("balanced", { ...balanced, loadBalancerSourceRanges: ranges }, status);
    for (const ip of [v4, v6]) await s.answeredBy(["web-1", "web-2"], "outside", "TCP", ip, 8089);
    await s.service("balanced", { ...balanced, loadBalancerSourceRanges: ["203.0.113.0/24", "2001:db8:52::/64"] });
    for (const ip of [v4, v6]) await s.answeredBy(["timeout"], "outside", "TCP", ip, 8089, 1);
  },
};

const PARTS = {
  "from pods": FROM_PODS,
  "backends that come and go": COMING_AND_GOING,
  "from outside": FROM_OUTSIDE,
} as const;

/** Who asks, or what is asked about. */
export type ServicePart = keyof typeof PARTS;

/** Every part. */
export const SERVICE_PARTS = Object.keys(PARTS) as ServicePart[];

/** Every case of these parts as a test. */
export function serviceWays(stage: () => Stage, parts: readonly ServicePart[], leftOut: LeftOut = {}): void {
  for (const part of parts)
    describe(part, () => {
      for (const [name, run] of Object.entries(PARTS[part]))
        test(name, { skip: leftOut[name] ?? false }, () => run(stage()));
    });
}

/** Every behaviour of services with real packets, in both families, between pods, nodes and somebody outside. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, type ServiceLab, startServiceLab } from "../fixture/service-lab.ts";

let s: ServiceLab;

before(async () => {
  s = await startServiceLab({ name: "test-service-ways", nodes: 2 });
  await s.pods({ "web-1": "node-1", "web-2": "node-2" }, { app: "web" });
  await s.pods({ "client-1": "node-1", "client-2": "node-2" });
});
after(() => s?.[Symbol.asyncDispose]());

const WEB = { selector: { app: "web" } };
const CLIENTS = ["default/client-1", "default/client-2"];
const NODES = ["node-1", "node-2"];

describe("from pods", () => {
  test("a cluster IP leads to all backends, by TCP and UDP, at the service's ports", async () => {
    for (const ip of s.service("web", WEB))
      for (const client of CLIENTS) {
        await s.answeredBy(["web-1", "web-2"], client, "TCP", ip, 8000);
        await s.answeredBy(["web-1", "web-2"], client, "UDP", ip, 5300);
      }
  });

  test("a backend sees the pod that asks", async () => {
    const ips = s.service("web", WEB);
    for (const [i, ip] of ips.entries()) {
      const r = await s.ask("default/client-1", "TCP", ip, 8000);
      assert.equal(r.seenAddress, s.at("default/client-1").addresses[i]);
    }
  });

  test("a pod that is alone behind a service reaches itself", async () => {
    const ips = s.service("self", {});
    s.slices("self", s.endpoints("web-1"));
    for (const ip of ips) {
      await s.answeredBy(["web-1"], "default/web-1", "TCP", ip, 8000);
      await s.answeredBy(["web-1"], "default/web-1", "UDP", ip, 5300);
    }
  });

  test("a service that nobody is behind refuses at once", async () => {
    for (const ip of s.service("nobody", {}))
      for (const protocol of ["TCP", "UDP"] as const)
        await eventually(async () => {
          const r = await s.ask("default/client-1", protocol, ip, protocol === "TCP" ? 8000 : 5300, 5_000);
          assert.equal(r.verdict, "refused", `${protocol} ${ip}`);
          assert.ok(r.ms < 1_000, `${r.ms} ms`);
        });
  });

  test("internalTrafficPolicy Local: the node's own backends only, and silence where it has none", async () => {
    const ips = s.service("near", { internalTrafficPolicy: "Local" });
    s.slices("near", s.endpoints("web-1"));
    for (const ip of ips) {
      await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
      await s.answeredBy(["timeout"], "default/client-2", "TCP", ip, 8000, 1);
    }
  });

  test("a node port leads to all backends from pods, too, at any node", async () => {
    s.service("port", { ...WEB, type: "NodePort" });
    for (const node of NODES)
      for (const address of s.at(node).addresses)
        await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", address, s.nodePort("port", "web"));
  });

  test("session affinity: one backend answers a client, always", async () => {
    for (const ip of s.service("loyal", { ...WEB, sessionAffinity: "ClientIP" }))
      await eventually(async () => {
        const found = await s.answers("default/client-1", "TCP", ip, 8000, 30);
        assert.equal(found.length, 1, `${found}`);
        assert.match(found[0] ?? "", /^web-/);
      });
  });

  test("a headless service has no address, and one without selector has the backends of its slices", async () => {
    assert.deepEqual(s.service("bare", { ...WEB, clusterIP: "None" })[0], "None");
    const ips = s.service("given", {});
    s.slices("given", s.endpoints("web-2"));
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000);
  });
});

describe("backends that come and go", () => {
  const ENDING = { conditions: { ready: false, serving: true, terminating: true } };

  test("who ends gets nothing new while another is ready, and everything when nobody is", async () => {
    const ips = s.service("ending", {});
    s.slices("ending", [...s.endpoints("web-1", ENDING), ...s.endpoints("web-2")]);
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "TCP", ip, 8000, 20);
    s.slices("ending", s.endpoints("web-1", ENDING));
    for (const ip of ips) await s.answeredBy(["web-1"], "default/client-1", "TCP", ip, 8000);
  });

  test("who is not ready gets nothing", async () => {
    const ips = s.service("unready", {});
    s.slices("unready", [...s.endpoints("web-1", { conditions: { ready: false } }), ...s.endpoints("web-2")]);
    for (const ip of ips) await s.answeredBy(["web-2"], "default/client-1", "UDP", ip, 5300, 20);
  });

  test("a service that goes is gone, and its address refuses nobody else", async () => {
    const [v4] = s.service("short", WEB);
    await s.answeredBy(["web-1", "web-2"], "default/client-1", "TCP", v4, 8000);
    s.removeService("short");
    await eventually(async () => {
      const r = await s.ask("default/client-1", "TCP", v4, 8000, 500);
      assert.notEqual(r.verdict, "ok");
    });
  });
});

describe("from outside", () => {
  test("a node port leads to all backends at every node; who answers from another node sees the node", async () => {
    s.service("port", { ...WEB, type: "NodePort" });
    for (const node of NODES)
      for (const address of s.at(node).addresses)
        for (const [protocol, name] of [
          ["TCP", "web"],
          ["UDP", "dns"],
        ] as const)
          await s.answeredBy(["web-1", "web-2"], "outside", protocol, address, s.nodePort("port", name));
  });

  test("externalTrafficPolicy Local: the client's own address, and silence where there is no backend", async () => {
    s.service("kept", { type: "NodePort", externalTrafficPolicy: "Local" });
    s.slices("kept", s.endpoints("web-1"));
    const port = s.nodePort("kept", "web");
    for (const [i, address] of s.at("node-1").addresses.entries()) {
      await s.answeredBy(["web-1"], "outside", "TCP", address, port);
      const r = await s.ask("outside", "TCP", address, port);
      assert.equal(r.seenAddress, s.at("outside").addresses[i]);
    }
    for (const address of s.at("node-2").addresses) await s.answeredBy(["timeout"], "outside", "TCP", address, port, 1);
  });

  test("a node port that nobody is behind refuses at once", async () => {
    s.service("empty", { type: "NodePort" });
    for (const address of s.at("node-1").addresses)
      await s.answeredBy(["refused"], "outside", "TCP", address, s.nodePort("empty", "web"), 1);
  });

  test("an external IP, and a load balancer's address with who may ask", async () => {
    const [v4 = "", v6 = ""] = s.at("node-1").addresses;
    const ports = [{ name: "web", port: 8088, targetPort: "web" }];
    s.service("external", { ...WEB, ports, externalIPs: [v4, v6] });
    for (const ip of [v4, v6]) await s.answeredBy(["web-1", "web-2"], "outside", "TCP", ip, 8088);
    s.removeService("external");
    const balanced = { ...WEB, type: "LoadBalancer", ports: [{ name: "web", port: 8089, targetPort: "web" }] };
    const status = { loadBalancer: { ingress: [{ ip: v4 }, { ip: v6 }] } };
    s.service("balanced", { ...balanced, loadBalancerSourceRanges: ["198.51.100.0/24", "2001:db8:51::/64"] }, status);
    for (const ip of [v4, v6]) await s.answeredBy(["web-1", "web-2"], "outside", "TCP", ip, 8089);
    s.service("balanced", { ...balanced, loadBalancerSourceRanges: ["203.0.113.0/24", "2001:db8:52::/64"] });
    for (const ip of [v4, v6]) await s.answeredBy(["timeout"], "outside", "TCP", ip, 8089, 1);
  });
});

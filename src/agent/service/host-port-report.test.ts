import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint, HostPort } from "../../model/endpoint.ts";
import { addr } from "../../net/addr.ts";
import { mac } from "../../net/mac.ts";
import { hostPortReports, type Owners } from "./host-port-report.ts";

function port(text: string, hostPort = 8080, protocol = 6): HostPort {
  return { hostPort, containerPort: 80, protocol, hostIp: text === "" ? undefined : addr(text) };
}

function endpoint(podName: string | undefined, hostPorts: readonly HostPort[]): Endpoint {
  return {
    id: 1,
    network: "twill",
    containerId: "0123456789abcdef",
    ifname: "eth0",
    netnsPath: "/run/netns/a",
    netnsId: "4:1",
    hostIfname: "twl000000000001",
    hostIfindex: 10,
    entryIfindex: 10,
    addrs: [addr("10.244.1.5"), addr("fd00:10:244:1::5")],
    mac: mac("02:00:00:00:00:01"),
    mtuBytes: 1450,
    download: undefined,
    upload: undefined,
    hostPorts,
    podNamespace: podName === undefined ? undefined : "shop",
    podName,
    podUid: undefined,
    state: "ready",
    createdAtMs: 0,
  };
}

const list = (endpoints: readonly Endpoint[], owners?: Owners) =>
  hostPortReports(endpoints, "node-1", owners).map((r) => [
    `${r.namespace}/${r.name}`,
    ...r.ports.flatMap((p) =>
      p.frontends.map((f) =>
        `${f.kind} ${f.address}/${p.protocol} > ${p.backends[0]?.address} ${f.lostTo ?? ""}`.trim(),
      ),
    ),
  ]);

test("pods with host ports, by name, with the addresses that they are open at", () => {
  const pods = [
    endpoint("web", [port(""), port("192.0.2.1", 53, 17)]),
    endpoint("none", []),
    endpoint("db", [port("::", 5432)]),
    endpoint(undefined, [port("0.0.0.0", 9000, 132)]),
  ];
  assert.deepEqual(list(pods), [
    ["-/0123456789ab", "HostPort 0.0.0.0:9000/SCTP > 10.244.1.5:80"],
    ["shop/db", "HostPort [::]:5432/TCP > [fd00:10:244:1::5]:80"],
    [
      "shop/web",
      "HostPort 0.0.0.0:8080/TCP > 10.244.1.5:80",
      "HostPort [::]:8080/TCP > [fd00:10:244:1::5]:80",
      "HostPort 192.0.2.1:53/UDP > 10.244.1.5:80",
    ],
  ]);
});

test("a port that a service has says whose it is", () => {
  const owners: Owners = {
    ownerOf: ({ addr: a, port: p }) => (p === 8080 && a.text === "0.0.0.0" ? "shop/edge:http" : undefined),
  };
  const pods = [endpoint("web", [port("")]), endpoint("one", [port("192.0.2.1")])];
  assert.deepEqual(list(pods, owners), [
    ["shop/one", "HostPort 192.0.2.1:8080/TCP > 10.244.1.5:80 shop/edge:http"],
    [
      "shop/web",
      "HostPort 0.0.0.0:8080/TCP > 10.244.1.5:80 shop/edge:http",
      "HostPort [::]:8080/TCP > [fd00:10:244:1::5]:80",
    ],
  ]);
  assert.deepEqual(
    hostPortReports(pods, "node-1", owners).map((r) => r.issues),
    [
      ["Host port 192.0.2.1:8080 leads to shop/edge:http, which has it as a service"],
      ["Host port 0.0.0.0:8080 leads to shop/edge:http, which has it as a service"],
    ],
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRange } from "../net/range.ts";
import { formatError } from "./error.ts";
import { parseCall } from "./parse.ts";
import type { CniRequest } from "./request.ts";
import { CNI_VERSIONS, versionAnswer } from "./version.ts";

const ENV = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/x", CNI_IFNAME: "eth0" };
const CONFIG = { cniVersion: "1.0.0", name: "twill", type: "twill" };

function call(command: string, config: object | string, env: Record<string, string> = {}) {
  return parseCall(
    { ...ENV, CNI_COMMAND: command, ...env },
    typeof config === "string" ? config : JSON.stringify(config),
  );
}

function request(command: string, config: object, env: Record<string, string> = {}): CniRequest {
  const r = call(command, { ...CONFIG, ...config }, env);
  if (!r.ok) assert.fail(formatError(r.error.version, r.error.error));
  assert.ok(r.value.kind === "add" || r.value.kind === "del" || r.value.kind === "check");
  return r.value.request;
}

function refusal(command: string, config: object | string, env: Record<string, string> = {}): string {
  const r = call(command, config, env);
  assert.ok(!r.ok, "the call was expected to be refused");
  return formatError(r.error.version, r.error.error);
}

test("the least that can be asked", () => {
  const r = request("ADD", {});
  assert.deepEqual(r, {
    version: "1.0.0",
    network: "twill",
    type: "twill",
    containerId: "c1",
    ifname: "eth0",
    netns: "/run/netns/x",
    pod: { namespace: undefined, name: undefined, uid: undefined },
    mac: undefined,
    mtuBytes: undefined,
    staticAddrs: [],
    rangeSets: [],
    download: undefined,
    upload: undefined,
    hostPorts: [],
    dns: { nameservers: [], domain: undefined, search: [], options: [] },
    prevResult: undefined,
  });
});

test("everything that can be asked", () => {
  const r = request(
    "ADD",
    {
      mtu: 1400,
      dns: { nameservers: ["10.96.0.10"] },
      runtimeConfig: {
        mac: "02:00:00:00:00:05",
        ips: ["10.244.1.9/24", "fd00::9"],
        ipRanges: [
          [{ subnet: "10.244.1.0/24", rangeStart: "10.244.1.5", rangeEnd: "10.244.1.20", gateway: "10.244.1.1" }],
        ],
        bandwidth: { ingressRate: 1000, ingressBurst: 1000, egressRate: 0 },
        portMappings: [],
      },
      ipam: { type: "twill" },
      "cni.dev/whatever": { future: true },
    },
    {
      CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_UID=c;IP=10.244.1.77;MAC=02:00:00:00:00:99",
    },
  );
  assert.equal(r.mtuBytes, 1400);
  assert.equal(r.mac, "02:00:00:00:00:05");
  assert.deepEqual(
    r.staticAddrs.map((a) => a.text),
    ["10.244.1.9", "fd00::9"],
  );
  assert.deepEqual(
    r.rangeSets.map((s) => s.map(formatRange)),
    [["10.244.1.5-10.244.1.20"]],
  );
  assert.deepEqual([r.download, r.upload], [{ rateBits: 1000, burstBits: 1000 }, undefined]);
  assert.deepEqual(r.pod, { namespace: "a", name: "b", uid: "c" });
  assert.deepEqual(r.dns.nameservers, ["10.96.0.10"]);
});

test("bandwidth as containerd spells it", () => {
  const bandwidth = { IngressRate: 0, IngressBurst: 0, EgressRate: 50_000_000, EgressBurst: 2_147_483_647 };
  const r = request("ADD", { runtimeConfig: { bandwidth } });
  assert.deepEqual([r.download, r.upload], [undefined, { rateBits: 50_000_000, burstBits: 2_147_483_647 }]);
});

test("host ports, in both spellings; a mapping of no port is none, a protocol that is left out is TCP", () => {
  const portMappings = [
    { hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "192.0.2.1" },
    { HostPort: 53, ContainerPort: 5353, Protocol: "UDP", HostIP: "" },
    { hostPort: 0, containerPort: 81 },
    { hostPort: 9000, protocol: "SCTP", hostIP: "::" },
  ];
  const { hostPorts } = request("ADD", { runtimeConfig: { portMappings } });
  assert.deepEqual(
    hostPorts.map((p) => [p.hostPort, p.containerPort, p.protocol, p.hostIp?.text]),
    [
      [8080, 80, 6, "192.0.2.1"],
      [53, 5353, 17, undefined],
      [9000, 9000, 132, "::"],
    ],
  );
});

test("resolver settings of the runtime win over the configuration's", () => {
  const dns = { nameservers: ["10.96.0.10"], domain: "cluster.local" };
  const runtimeConfig = { dns: { servers: ["10.0.0.53"], searches: ["a.example"], options: ["ndots:2"] } };
  assert.deepEqual(request("ADD", { dns, runtimeConfig }).dns, {
    nameservers: ["10.0.0.53"],
    domain: undefined,
    search: ["a.example"],
    options: ["ndots:2"],
  });
});

test("addresses: args.cni.ips adds to runtimeConfig.ips, both win over CNI_ARGS, repeats are one", () => {
  const args = { CNI_ARGS: "IP=10.244.1.7" };
  const ips = (config: object) => request("ADD", config, args).staticAddrs.map((a) => a.text);
  assert.deepEqual(ips({}), ["10.244.1.7"]);
  assert.deepEqual(ips({ args: { cni: { ips: ["10.244.1.8"] } } }), ["10.244.1.8"]);
  assert.deepEqual(ips({ args: { cni: { ips: ["10.244.1.8"] } }, runtimeConfig: { ips: ["10.244.1.8", "fd00::1"] } }), [
    "10.244.1.8",
    "fd00::1",
  ]);
});

test("ranges of the ipam section serve when the runtime asks for none", () => {
  const ipam = { type: "twill", ranges: [[{ subnet: "10.244.1.16/28" }], [{ subnet: "fd00::/64" }]] };
  assert.deepEqual(
    request("ADD", { ipam }).rangeSets.map((s) => s.map(formatRange)),
    [["10.244.1.16-10.244.1.31"], ["fd00::-fd00::ffff:ffff:ffff:ffff"]],
  );
});

test("prevResult is read in the configuration's version", () => {
  const prevResult = { cniVersion: "1.0.0", ips: [{ address: "192.0.2.1/24" }] };
  assert.equal(request("ADD", { prevResult }).prevResult?.ips[0]?.address.addr.text, "192.0.2.1");
  const flat = { ip4: { ip: "192.0.2.2/24" } };
  const old = request("ADD", { cniVersion: "0.2.0", prevResult: flat });
  assert.equal(old.prevResult?.ips[0]?.address.addr.text, "192.0.2.2");
});

test("a configuration without version is 0.1.0", () => {
  const r = call("ADD", { name: "n", type: "twill" });
  assert.ok(r.ok && r.value.kind === "add");
  assert.equal(r.value.request.version, "0.1.0");
});

test("DEL asks for names only, and takes everything else as it comes", () => {
  const broken = { runtimeConfig: 5, args: [], ipam: { type: "host-local" }, mtu: "x", prevResult: { ips: 7 } };
  const r = request("DEL", broken, { CNI_NETNS: "", CNI_ARGS: "garbage" });
  assert.equal(r.netns, "");
  assert.deepEqual(r.prevResult?.ips, []);
  assert.equal(request("DEL", { prevResult: null }).prevResult, undefined);
});

test("GC takes the attachments that are wanted still", () => {
  const r = call("GC", {
    ...CONFIG,
    cniVersion: "1.1.0",
    "cni.dev/valid-attachments": [{ containerID: "a", ifname: "eth0" }],
  });
  assert.ok(r.ok && r.value.kind === "gc");
  assert.deepEqual(r.value.valid, [{ containerId: "a", ifname: "eth0" }]);
});

test("VERSION is answered whatever stands on standard input", () => {
  for (const stdin of ["", "{", "[]", '{"cniVersion":"0.4.0"}', '{"cniVersion":"9.9.9"}', '{"cniVersion":7}'])
    assert.ok(parseCall({ CNI_COMMAND: "VERSION" }, stdin).ok, stdin);
  const supportedVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
  assert.deepEqual(JSON.parse(versionAnswer("0.4.0")), { cniVersion: "0.4.0", supportedVersions });
  assert.deepEqual(JSON.parse(versionAnswer("9.9.9")), { cniVersion: "1.1.0", supportedVersions });
  assert.deepEqual(JSON.parse(versionAnswer(undefined)), { cniVersion: "1.1.0", supportedVersions });
});

test("loopback is served too, and its CHECK without prevResult", () => {
  assert.equal(request("ADD", { type: "loopback" }, { CNI_IFNAME: "lo" }).type, "loopback");
  assert.equal(request("CHECK", { type: "loopback" }, { CNI_IFNAME: "lo" }).type, "loopback");
});

for (const version of CNI_VERSIONS)
  test(`${version}: commands that came later are refused with code 1, in the caller's version`, () => {
    const config = { ...CONFIG, cniVersion: version, prevResult: {}, "cni.dev/valid-attachments": [] };
    const want = {
      ADD: true,
      DEL: true,
      CHECK: version >= "0.4.0",
      GC: version === "1.1.0",
      STATUS: version === "1.1.0",
    };
    for (const [command, isKnown] of Object.entries(want)) {
      const r = call(command, config);
      assert.equal(r.ok, isKnown, command);
      if (!r.ok) assert.deepEqual([r.error.version, r.error.error.code], [version, 1]);
    }
  });

const REFUSED: readonly [
  name: string,
  command: string,
  config: object | string,
  code: number,
  want: RegExp,
  env?: Record<string, string>,
][] = [
  ["no JSON", "ADD", "{", 6, /not JSON/],
  ["nothing", "ADD", "", 6, /not JSON/],
  ["no object", "ADD", "[1]", 6, /not a JSON object/],
  ["null", "ADD", "null", 6, /not a JSON object/],
  ["too long", "ADD", " ".repeat(5 << 20), 6, /longer than 4194304 bytes/],
  [
    "a later version",
    "ADD",
    { ...CONFIG, cniVersion: "2.0.0" },
    1,
    /CNI version \\"2\.0\.0\\".*Supported are 0\.1\.0, /,
  ],
  ["a version that is none", "ADD", { ...CONFIG, cniVersion: 1 }, 1, /CNI version 1/],
  ["no name", "ADD", { ...CONFIG, name: undefined }, 7, /name: A value is required/],
  ["a name that is none", "ADD", { ...CONFIG, name: "../x" }, 7, /\\"\.\.\/x\\" is no name/],
  ["no type", "ADD", { ...CONFIG, type: undefined }, 7, /type: A value is required/],
  ["another type", "ADD", { ...CONFIG, type: "bridge" }, 2, /field \\"type\\" with value \\"bridge\\"/],
  [
    "another ipam",
    "ADD",
    { ...CONFIG, ipam: { type: "host-local" } },
    2,
    /field \\"ipam\.type\\" with value \\"host-local\\"/,
  ],
  [
    "port mappings of no protocol, or at no address",
    "ADD",
    {
      ...CONFIG,
      runtimeConfig: {
        portMappings: [
          { hostPort: 80, protocol: "icmp" },
          { hostPort: 80, hostIP: "x" },
        ],
      },
    },
    7,
    /none of tcp, udp and sctp/,
  ],
  [
    "port mappings that are no ports",
    "ADD",
    { ...CONFIG, runtimeConfig: { portMappings: [{ hostPort: 65536 }] } },
    7,
    /portMappings.*65536/,
  ],
  ["InfiniBand", "ADD", { ...CONFIG, runtimeConfig: { infinibandGUID: "c2:11" } }, 2, /infinibandGUID/],
  ["a MAC that is none", "ADD", { ...CONFIG, runtimeConfig: { mac: "x" } }, 7, /runtimeConfig\.mac: /],
  ["a multicast MAC", "ADD", { ...CONFIG, runtimeConfig: { mac: "01:00:5e:00:00:01" } }, 7, /unicast/],
  [
    "an address that is none",
    "ADD",
    { ...CONFIG, runtimeConfig: { ips: ["10.0.0.256"] } },
    7,
    /runtimeConfig\.ips: \[0\]/,
  ],
  ["ranges of another shape", "ADD", { ...CONFIG, runtimeConfig: { ipRanges: [{}] } }, 7, /ipRanges: Expected a list/],
  [
    "a range with host bits",
    "ADD",
    { ...CONFIG, runtimeConfig: { ipRanges: [[{ subnet: "10.0.0.1/24" }]] } },
    7,
    /\[0\]\[0\]\.subnet: .*host bits/,
  ],
  [
    "a range upside down",
    "ADD",
    {
      ...CONFIG,
      runtimeConfig: { ipRanges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.9", rangeEnd: "10.0.0.8" }]] },
    },
    7,
    /rangeEnd: .*comes before/,
  ],
  [
    "a range outside its subnet",
    "ADD",
    { ...CONFIG, runtimeConfig: { ipRanges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.1.9" }]] } },
    7,
    /rangeStart: .*outside subnet/,
  ],
  ["an MTU that is none", "ADD", { ...CONFIG, mtu: 100 }, 7, /mtu: 100 is not an integer from 576 to 65535/],
  [
    "an unsound prevResult",
    "ADD",
    { ...CONFIG, prevResult: { ips: [{ address: "x" }] } },
    7,
    /prevResult\.ips\[0\]\.address/,
  ],
  ["CHECK without prevResult", "CHECK", CONFIG, 7, /prevResult: A value is required for CHECK/],
  ["GC without list", "GC", { ...CONFIG, cniVersion: "1.1.0" }, 7, /valid-attachments.*A list is required for GC/],
  [
    "GC of nameless things",
    "GC",
    { ...CONFIG, cniVersion: "1.1.0", "cni.dev/valid-attachments": [{}] },
    7,
    /containerID: A value is required/,
  ],
  ["no environment", "ADD", CONFIG, 4, /CNI_IFNAME is missing/, { CNI_IFNAME: "" }],
  ["unknown arguments", "ADD", CONFIG, 4, /CNI_ARGS: unknown/, { CNI_ARGS: "X=1" }],
  ["DEL without name", "DEL", { ...CONFIG, name: "" }, 7, /name: A value is required/],
];

for (const [name, command, config, code, want, env] of REFUSED)
  test(`refused: ${name}`, () => {
    const text = refusal(command, config, env);
    assert.match(text, want);
    assert.equal(JSON.parse(text).code, code);
  });

test("all issues are in the details, the first in the message", () => {
  const config = { ...CONFIG, name: "", mtu: 1, runtimeConfig: { mac: "x" } };
  const error = JSON.parse(refusal("ADD", config));
  assert.equal(error.details.split("\n").length, 3);
  assert.match(error.msg, /and 2 more$/);
});

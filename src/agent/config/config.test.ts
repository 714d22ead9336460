import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIssues } from "../../base/issue.ts";
import { unwrap } from "../../base/result.ts";
import { parseConfig } from "./config.ts";

const parse = (text: string, set: Readonly<Record<string, string>> = {}) =>
  parseConfig(text, { set: new Map(Object.entries(set)), defaultNodeName: "host-a" });

function issues(text: string, set: Readonly<Record<string, string>> = {}): string {
  const r = parse(text, set);
  return r.ok ? "" : formatIssues(r.error);
}

test("an empty file is a complete configuration", () => {
  const c = unwrap(parse(""));
  assert.equal(c.nodeName, "host-a");
  assert.deepEqual(
    c.clusterPools.map((p) => `${p.prefix.text} ${p.nodeLength}`),
    ["10.244.0.0/16 24", "fd00:10:244::/48 64"],
  );
  assert.deepEqual(c.network.tunnel, { port: 8472, vni: 1, hasShortcut: true });
  assert.deepEqual(c.network.masquerade, { isEnabled: true, excludeCidrs: [], ports: { first: 10240, last: 29999 } });
  assert.equal(c.network.mtuBytes, "auto");
  assert.equal(c.network.devices, "auto");
  assert.deepEqual(c.cluster, { kind: "kube" });
  assert.equal(c.paths.run, "/run/twill");
  assert.equal(c.ipam.coolDownMs, 30_000);
  assert.equal(c.metricsListen, undefined);
  assert.equal(c.mapSizes.size, 0);
});

test("every key of a full file arrives", () => {
  const c = unwrap(
    parse(`
nodeName: node-1
cluster: dir:/etc/twill/objects
clusterCIDRs: [10.0.0.0/8]
nodeMaskSize: {ipv4: 26}
tunnel: {mode: vxlan, port: 4789, vni: 4096}
mtu: 1400
devices: [eth0, "bond*"]
masquerade: {enabled: false, excludeCIDRs: [192.168.0.0/16], portRange: 20000-21000}
ipam: {coolDownSeconds: 5, reserved: [10.0.0.5, 10.0.1.0/28, 10.0.0.10-10.0.0.20]}
maps: {ct_tcp: 1024, events: 65536}
cni: {install: false, networkName: pods}
paths: {run: /run/t, bpffs: /sys/fs/bpf, pins: /sys/fs/bpf/t}
log: {level: debug}
metrics: {listen: "[::1]:9100"}
health: {listen: ":9101"}
resyncSeconds: 10
`),
  );
  assert.equal(c.nodeName, "node-1");
  assert.deepEqual(c.cluster, { kind: "dir", path: "/etc/twill/objects" });
  assert.deepEqual(
    c.ipam.reserved.map((r) => `${r.first.text}-${r.last.text}`),
    ["10.0.0.5-10.0.0.5", "10.0.1.0-10.0.1.15", "10.0.0.10-10.0.0.20"],
  );
  assert.deepEqual(
    [...c.mapSizes],
    [
      ["ct_tcp", 1024],
      ["events", 65536],
    ],
  );
  assert.deepEqual(c.metricsListen, { host: "::1", port: 9100 });
  assert.deepEqual(c.healthListen, { host: "", port: 9101 });
  assert.deepEqual(c.network.devices, ["eth0", "bond*"]);
});

test("flags stand over the file, and make objects that the file does not have", () => {
  const c = unwrap(parse("tunnel: {vni: 7}", { "tunnel.port": "4789", nodeName: "n2", clusterCIDRs: "[10.9.0.0/16]" }));
  assert.deepEqual(c.network.tunnel, { port: 4789, vni: 7, hasShortcut: true });
  assert.equal(c.nodeName, "n2");
  assert.equal(c.network.clusterCidrs[0]?.text, "10.9.0.0/16");
});

const REFUSED: readonly (readonly [name: string, text: string, expected: string])[] = [
  ["unknown key", "tunel: {}", 'tunel: Unknown key "tunel": did you mean "tunnel"?'],
  [
    "unknown nested key",
    "ipam: {cooldownSeconds: 1}",
    'ipam.cooldownSeconds: Unknown key "cooldownSeconds": did you mean "coolDownSeconds"?',
  ],
  ["nothing near", "log: {zzz: 1}", 'log.zzz: Unknown key "zzz": known are level'],
  ["wrong type", "mtu: [1]", "mtu: [1] is not allowed: auto or a number from 576 to 65535 is wanted"],
  ["too big", "tunnel: {port: 70000}", "tunnel.port: 70000 is more than 65535"],
  ["too small", "tunnel: {vni: 0}", "tunnel.vni: 0 is less than 1"],
  [
    "host bits",
    "clusterCIDRs: [10.244.0.1/16]",
    'clusterCIDRs[0]: "10.244.0.1/16" has host bits set: "10.244.0.0/16" would be right',
  ],
  ["no CIDR", "clusterCIDRs: [x]", 'clusterCIDRs[0]: "x" is not a CIDR such as 10.244.0.0/16 or fd00:10:244::/48'],
  ["empty list", "clusterCIDRs: []", "clusterCIDRs: [] is too short: at least 1 is wanted"],
  ["enum", "tunnel: {mode: geneve}", 'tunnel.mode: "geneve" is none of "vxlan"'],
  [
    "port range",
    "masquerade: {portRange: 5-4}",
    'masquerade.portRange: "5-4" is not a range of at least 256 ports between 1024 and 65535, such as 10240-29999',
  ],
  [
    "mask shorter than CIDR",
    "nodeMaskSize: {ipv4: 16}\nclusterCIDRs: [10.0.0.0/17]",
    'nodeMaskSize.ipv4: Node prefix length 16 of "10.0.0.0/17" is outside 17 to 30',
  ],
  ["overlap", "clusterCIDRs: [10.0.0.0/16, 10.0.128.0/17]", 'clusterCIDRs[1]: "10.0.128.0/17" overlaps "10.0.0.0/16"'],
  ["pins elsewhere", "paths: {pins: /tmp/x}", 'paths.pins: "/tmp/x" is not below paths.bpffs "/sys/fs/bpf"'],
  ["ring size", "maps: {events: 5000}", "maps.events: 5000 is not a power of two of at least 4096"],
  ["cluster", "cluster: etcd", 'cluster: "etcd" is neither kube nor dir:PATH'],
  [
    "range",
    "ipam: {reserved: [10.0.0.9-10.0.0.1]}",
    'ipam.reserved[0]: "10.0.0.9-10.0.0.1" is not an address, a CIDR or FIRST-LAST',
  ],
  ["listen", "metrics: {listen: 9090}", "metrics.listen: 9090 is not a string"],
  [
    "giving CIDRs without an API",
    "cluster: dir:/x\nallocateNodeCIDRs: true",
    "allocateNodeCIDRs: true needs a Kubernetes API: in a directory of objects each Node says its spec.podCIDRs",
  ],
  [
    "way to an address",
    "nodeAddress: {ipv4: iface=eth0}",
    'nodeAddress.ipv4: "iface=eth0" is none of internal-ip, first-found, interface=NAMES, skip-interface=NAMES, cidr=CIDRS or can-reach=ADDRESS',
  ],
  [
    "address of another family",
    "nodeAddress: {ipv4: can-reach=fd00::1}",
    'nodeAddress.ipv4: "fd00::1" is no IPv4 address',
  ],
  [
    "no regular expression",
    "nodeAddress: {ipv6: 'interface=eth('}",
    'nodeAddress.ipv6: "eth(" is neither a name such as eth0, nor eth*, nor a regular expression',
  ],
  [
    "an address to be announced without an API",
    "cluster: dir:/x\nnodeAddress: {ipv4: first-found}",
    'nodeAddress.ipv4: "first-found" needs a Kubernetes API: in a directory of objects each Node says its addresses',
  ],
  [
    "no taint",
    "startupTaint: a b",
    'startupTaint: "a b" is neither none nor the key of a taint such as twill.dev/agent-not-ready',
  ],
  ["no mapping", "hello", '"hello" is not an object'],
];

for (const [name, text, expected] of REFUSED) test(`refused: ${name}`, () => assert.equal(issues(text), expected));

test("all issues are reported at once, flags' ones too", () => {
  const all = issues("mtuu: 1\ntunnel: {port: 0}\nlog: {level: loud}", { "tunnel.vni": "-1" }).split("\n");
  assert.equal(all.length, 4);
  assert.ok(all.some((l) => l.startsWith("tunnel.vni: -1 is less than 1")));
});

test("broken YAML and alias bombs are refused with a reason", () => {
  assert.match(issues("a: [1, 2"), /./);
  assert.match(issues("tunnel: {port: 1}\ntunnel: {port: 2}"), /unique/);
  assert.match(issues("mtu: 1400\n---\nmtu: 1300\n"), /more than one document/);
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]", "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]", "c: [*b,*b,*b,*b,*b,*b,*b,*b,*b]"];
  assert.match(issues(bomb.join("\n")), /alias/i);
});

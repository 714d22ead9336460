import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { addr, type Family } from "../net/addr.ts";
import { parseInterfaceAddr, prefix } from "../net/prefix.ts";
import {
  type AddressLink,
  type AddressMethod,
  devicePattern,
  findNodeAddress,
  unreportedAddress,
} from "./node-address.ts";

const link = (name: string, addrs: readonly string[], isUp = true): AddressLink => ({
  name,
  isUp,
  addrs: addrs.map((a) => unwrap(parseInterfaceAddr(a))),
});

const LINKS = [
  link("lo", ["127.0.0.1/8", "::1/128"]),
  link("docker0", ["172.17.0.1/16"]),
  link("down0", ["10.1.0.1/24"], false),
  link("eth0", ["169.254.7.7/16", "192.168.1.10/24", "192.168.1.11/24", "fe80::1/64"]),
  link("eth1", ["10.0.0.10/24", "fe80::2/64", "fd00::10/64"]),
  link("veth9", ["10.9.0.1/24"]),
  link("twill0", ["10.244.1.1/32"]),
];

const named = (kind: "interface" | "skip-interface", ...texts: string[]): AddressMethod => ({
  kind,
  patterns: texts.map((t) => unwrap(devicePattern(t))),
});

const FOUND: readonly (readonly [
  what: string,
  AddressMethod,
  Family,
  expected: string | undefined,
  source?: string,
])[] = [
  ["the Node object's", { kind: "internal-ip" }, 4, undefined],
  ["the first, without bridges of pods and link-local addresses", { kind: "first-found" }, 4, "192.168.1.10"],
  ["the first in IPv6", { kind: "first-found" }, 6, "fd00::10"],
  ["by name", named("interface", "eth1"), 4, "10.0.0.10"],
  ["by a glob", named("interface", "eth*"), 4, "192.168.1.10"],
  ["by a regular expression", named("interface", "eth[1-9]"), 4, "10.0.0.10"],
  ["by Calico's way to write one", named("interface", "eth.*"), 4, "192.168.1.10"],
  ["the whole name has to match", named("interface", "veth"), 4, undefined],
  ["in the order of the patterns", named("interface", "eth1", "eth0"), 4, "10.0.0.10"],
  ["a named device may be one that is left out otherwise", named("interface", "docker0"), 4, "172.17.0.1"],
  ["one that is down is not", named("interface", "down0"), 4, undefined],
  ["Twill's own never", named("interface", "twill.*"), 4, undefined],
  ["without some", named("skip-interface", "eth0"), 4, "10.0.0.10"],
  ["without some, by alternatives", named("skip-interface", "(eth0|eth1)"), 4, undefined],
  ["in a CIDR", { kind: "cidr", cidrs: [prefix("10.0.0.0/8")] }, 4, "10.0.0.10"],
  ["in one of several", { kind: "cidr", cidrs: [prefix("11.0.0.0/8"), prefix("192.168.1.11/32")] }, 4, "192.168.1.11"],
  ["in none", { kind: "cidr", cidrs: [prefix("11.0.0.0/8")] }, 4, undefined],
  ["the kernel's source", { kind: "can-reach", to: addr("8.8.8.8") }, 4, "192.168.1.11", "192.168.1.11"],
  ["a source on Twill's own device is none", { kind: "can-reach", to: addr("10.244.2.2") }, 4, undefined, "10.244.1.1"],
  ["no way there", { kind: "can-reach", to: addr("8.8.8.8") }, 4, undefined],
];

for (const [what, method, family, expected, source] of FOUND)
  test(`${method.kind}: ${what}`, () => {
    const r = findNodeAddress(method, family, LINKS, source === undefined ? undefined : addr(source));
    if (expected !== undefined || method.kind === "internal-ip") assert.equal(unwrap(r)?.text, expected);
    else assert.ok(!r.ok);
  });

test("what is not found is told with what there is", () => {
  const r = findNodeAddress(named("interface", "bond0"), 4, LINKS.slice(0, 4), undefined);
  assert.equal(
    r.ok ? "" : r.error,
    '"interface=bond0" finds no IPv4 address of this node: there are "docker0" (172.17.0.1), "down0" (10.1.0.1, down), "eth0" (192.168.1.10, 192.168.1.11)',
  );
  const none = findNodeAddress({ kind: "first-found" }, 6, LINKS.slice(0, 3), undefined);
  assert.equal(none.ok ? "" : none.error, '"first-found" finds no IPv6 address of this node: it has none');
});

test("what is no pattern is refused", () => {
  const r = devicePattern("eth(");
  assert.match(r.ok ? "" : r.error, /"eth\(" is neither a name/);
});

const UNREPORTED: readonly (readonly [string, 4 | 6, readonly string[], string | undefined, string | undefined])[] = [
  ["the first one on the reported address's device", 6, ["192.168.1.10"], undefined, "fd00::10"],
  ["what was announced stays while it is there", 6, ["192.168.1.10"], "fd00::11", "fd00::11"],
  ["and goes with it", 6, ["192.168.1.10"], "fd00::99", "fd00::10"],
  ["the other way round", 4, ["fd00::10"], undefined, "192.168.1.10"],
  ["another device has none", 6, ["10.0.0.10"], undefined, undefined],
  ["nothing where the family is reported", 6, ["192.168.1.10", "fd00::9"], undefined, undefined],
  ["nothing where the reported address is on no device", 6, ["192.0.2.1"], undefined, undefined],
  ["nothing for a node that reports nothing", 6, [], undefined, undefined],
];

for (const [what, family, reported, before, expected] of UNREPORTED)
  test(`a family that the cluster does not name: ${what}`, () => {
    const links = [
      link("twill0", ["192.168.1.10/32", "fd00:1::1/128"]),
      link("eth0", ["192.168.1.10/24", "fe80::1/64", "fd00::10/64", "fd00::11/64"]),
      link("eth1", ["10.0.0.10/24", "fe80::2/64"]),
    ];
    const found = unreportedAddress(family, reported.map(addr), links, before === undefined ? undefined : addr(before));
    assert.equal(found?.text, expected);
  });

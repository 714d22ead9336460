import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addr } from "../net/addr.ts";
import { mac } from "../net/mac.ts";
import { prefix } from "../net/prefix.ts";
import { ROUTE_PROTOCOL } from "./names.ts";
import {
  ADDR_ROWS,
  ATTACH_ROWS,
  LINK_ROWS,
  MAP_ROWS,
  type ObservedLink,
  type ObservedRoute,
  ROUTE_ROWS,
  SYSCTL_ROWS,
} from "./row-kinds.ts";
import type { LinkRow, RouteRow } from "./rows.ts";

const near = mac("ee:ee:ee:ee:ee:ee");
const far = mac("ee:ee:ee:ee:ee:e1");
const foreign = mac("02:00:00:00:00:01");

const pair: LinkRow = { kind: "veth", name: "twill0", mac: near, peer: "twill1", peerMac: far, mtuBytes: 1450 };
const pairNow: ObservedLink = {
  name: "twill0",
  ifindex: 2,
  mac: near,
  mtuBytes: 1450,
  isUp: true,
  kind: "veth",
  peerIfindex: 3,
  vxlan: undefined,
  peer: { name: "twill1", mac: far, mtuBytes: 1450, isUp: true },
};
const tunnel: LinkRow = { kind: "vxlan", name: "twill_vx", mac: near, port: 8472, mtuBytes: 1450 };
const tunnelNow: ObservedLink = {
  ...pairNow,
  name: "twill_vx",
  kind: "vxlan",
  peer: undefined,
  vxlan: { port: 8472, isExternal: true },
};

describe("devices", () => {
  const peer = (change: Partial<NonNullable<ObservedLink["peer"]>>) => ({ peer: { ...pairNow.peer!, ...change } });
  const cases: readonly (readonly [string, LinkRow, ObservedLink, boolean])[] = [
    ["as wanted", pair, pairNow, true],
    ["down", pair, { ...pairNow, isUp: false }, false],
    ["another MTU", pair, { ...pairNow, mtuBytes: 1500 }, false],
    ["another MAC", pair, { ...pairNow, mac: foreign }, false],
    ["another kind", pair, { ...pairNow, kind: "dummy" }, false],
    ["the peer gone elsewhere", pair, { ...pairNow, peer: undefined }, false],
    ["the peer renamed", pair, { ...pairNow, ...peer({ name: "x" }) }, false],
    ["the peer down", pair, { ...pairNow, ...peer({ isUp: false }) }, false],
    ["the peer's MAC", pair, { ...pairNow, ...peer({ mac: foreign }) }, false],
    ["tunnel as wanted", tunnel, tunnelNow, true],
    ["tunnel on another port", tunnel, { ...tunnelNow, vxlan: { port: 4789, isExternal: true } }, false],
    ["tunnel of its own mind", tunnel, { ...tunnelNow, vxlan: { port: 8472, isExternal: false } }, false],
  ];
  for (const [name, want, now, matches] of cases)
    it(`${name}: ${matches ? "no write" : "a write"}`, () => assert.equal(LINK_ROWS.matches(want, now), matches));
});

describe("routes", () => {
  const want: RouteRow = { link: "twill0", dst: prefix("10.244.0.0/16"), src: addr("10.244.1.1"), mtuBytes: 1450 };
  const now: ObservedRoute = { ...want, protocol: ROUTE_PROTOCOL };
  const cases: readonly (readonly [string, ObservedRoute, boolean])[] = [
    ["as wanted", now, true],
    ["another source", { ...now, src: addr("10.244.1.2") }, false],
    ["no source", { ...now, src: undefined }, false],
    ["another MTU", { ...now, mtuBytes: undefined }, false],
    ["made by somebody else", { ...now, protocol: 3 }, false],
  ];
  for (const [name, observed, matches] of cases)
    it(`${name}: ${matches ? "no write" : "a write"}`, () => assert.equal(ROUTE_ROWS.matches(want, observed), matches));

  it("of two devices to one destination are two rows", () =>
    assert.notEqual(ROUTE_ROWS.observedKey(now), ROUTE_ROWS.observedKey({ ...now, link: "eth0" })));
});

describe("keys", () => {
  it("of an address name device, address and length", () => {
    const row = { link: "twill0", address: { addr: addr("10.244.1.1"), length: 32 } };
    assert.equal(ADDR_ROWS.desiredKey(row), ADDR_ROWS.observedKey({ ...row }));
    const wider = { ...row, address: { ...row.address, length: 24 } };
    assert.notEqual(ADDR_ROWS.desiredKey(row), ADDR_ROWS.desiredKey(wider));
  });

  it("of an attachment name device and direction: a hook has one program of Twill's", () => {
    const row = { link: "twl0", direction: "ingress", program: "from_pod" } as const;
    assert.equal(ATTACH_ROWS.desiredKey(row), ATTACH_ROWS.desiredKey({ ...row, program: "from_host" }));
    assert.notEqual(ATTACH_ROWS.desiredKey(row), ATTACH_ROWS.desiredKey({ ...row, direction: "egress" }));
    assert.equal(ATTACH_ROWS.matches(row, { ...row, isCurrent: true }), true);
    assert.equal(ATTACH_ROWS.matches(row, { ...row, isCurrent: false }), false);
  });

  it("of a map entry are its bytes, and only other values need a write", () => {
    const row = { key: Uint8Array.of(1, 2), value: Uint8Array.of(3) };
    assert.equal(MAP_ROWS.desiredKey(row), MAP_ROWS.observedKey({ ...row, key: Uint8Array.of(1, 2) }));
    assert.equal(MAP_ROWS.matches(row, { ...row, value: Uint8Array.of(3) }), true);
    assert.equal(MAP_ROWS.matches(row, { ...row, value: Uint8Array.of(4) }), false);
  });

  it("of a setting are its name", () => {
    const row = { name: "net/ipv4/ip_forward", value: "1" };
    assert.equal(SYSCTL_ROWS.desiredKey(row), SYSCTL_ROWS.observedKey({ ...row, value: "0" }));
    assert.equal(SYSCTL_ROWS.matches(row, { ...row, value: "0" }), false);
  });
});

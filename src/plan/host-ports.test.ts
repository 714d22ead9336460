import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HostPort } from "../model/endpoint.ts";
import { addr, addrFromBytes } from "../net/addr.ts";
import { decodeBackend, decodeServiceKey } from "../net/gen/bpf-maps.ts";
import { anyHostPortKey, findPortConflict, hostPortAddress, hostPortKeys, hostPortRows, meets } from "./host-ports.ts";

const POD4 = addr("10.244.1.5");
const POD6 = addr("fd00:10:244:1::5");
const [TCP, UDP] = [6, 17];

function port(text: string, hostPort = 8080, protocol = TCP, containerPort = 80): HostPort {
  return { hostPort, containerPort, protocol, hostIp: text === "" ? undefined : addr(text) };
}

function rows(addrs: readonly (typeof POD4)[], ...hostPorts: HostPort[]): string[] {
  return hostPortRows({ addrs, hostPorts }).map(({ key, value }) => {
    const [k, v] = [decodeServiceKey(key), decodeBackend(value)];
    assert.equal(k.protocol, v.protocol);
    return `${addrFromBytes(k.addr).text} ${k.port}/${k.protocol} > ${addrFromBytes(v.addr).text} ${v.port}`;
  });
}

const CASES: readonly (readonly [name: string, asked: HostPort, both: string[]])[] = [
  ["at all addresses", port(""), ["0.0.0.0 8080/6 > 10.244.1.5 80", ":: 8080/6 > fd00:10:244:1::5 80"]],
  ["at all IPv4 addresses", port("0.0.0.0"), ["0.0.0.0 8080/6 > 10.244.1.5 80"]],
  ["at all IPv6 addresses", port("::", 53, UDP, 5353), [":: 53/17 > fd00:10:244:1::5 5353"]],
  ["at one address", port("192.0.2.1"), ["192.0.2.1 8080/6 > 10.244.1.5 80"]],
  ["at one of IPv6", port("2001:db8::1"), ["2001:db8::1 8080/6 > fd00:10:244:1::5 80"]],
];

for (const [name, asked, both] of CASES)
  test(`a host port ${name}`, () => {
    assert.deepEqual(rows([POD4, POD6], asked), both);
    assert.deepEqual(
      rows([POD4], asked),
      both.filter((row) => !row.includes("fd00:")),
      "a pod without an address of the family is not reached by it",
    );
  });

test("a pod without host ports has no rows", () => {
  assert.deepEqual(rows([POD4, POD6]), []);
});

const MEET: readonly (readonly [a: HostPort, b: HostPort, doMeet: boolean])[] = [
  [port(""), port(""), true],
  [port(""), port("", 8081), false],
  [port(""), port("", 8080, UDP), false],
  [port(""), port("192.0.2.1"), true],
  [port(""), port("::"), true],
  [port("0.0.0.0"), port("192.0.2.1"), true],
  [port("0.0.0.0"), port("2001:db8::1"), false],
  [port("0.0.0.0"), port("::"), false],
  [port("::"), port("2001:db8::1"), true],
  [port("192.0.2.1"), port("192.0.2.1"), true],
  [port("192.0.2.1"), port("192.0.2.2"), false],
];

for (const [a, b, doMeet] of MEET)
  test(`${hostPortAddress(a)}/${a.protocol} and ${hostPortAddress(b)}/${b.protocol} ${doMeet ? "meet" : "do not"}`, () => {
    assert.deepEqual([meets(a, b), meets(b, a)], [doMeet, doMeet]);
  });

const anyPort = fc
  .tuple(
    fc.constantFrom("", "0.0.0.0", "::", "192.0.2.1", "192.0.2.2", "2001:db8::1"),
    fc.constantFrom(80, 81),
    fc.constantFrom(TCP, UDP),
  )
  .map(([text, hostPort, protocol]) => port(text, hostPort, protocol));

test("what does not meet shares no entry, and no address is looked up in two ways that differ", () => {
  fc.assert(
    fc.property(anyPort, anyPort, (a, b) => {
      const addrs = [POD4, POD6];
      const keys = (p: HostPort) => hostPortKeys({ addrs, hostPorts: [p] }).map((k) => k.join());
      const anys = (p: HostPort) =>
        hostPortKeys({ addrs, hostPorts: [p] }).map((k) => anyHostPortKey(decodeServiceKey(k)).join());
      // Programs look at the entry of all addresses first, then at that of the one.
      const areOne = keys(a).some((k) => keys(b).includes(k));
      const isCovered = keys(a).some((k) => anys(b).includes(k)) || keys(b).some((k) => anys(a).includes(k));
      if (!meets(a, b)) assert.ok(!areOne && !isCovered);
      else assert.ok(areOne || isCovered);
    }),
  );
});

test("a conflict is with the first who has the port, or with oneself", () => {
  const others = [
    { addrs: [POD4], hostPorts: [port("192.0.2.1")] },
    { addrs: [POD4], hostPorts: [port("192.0.2.2"), port("", 9000)] },
  ];
  assert.equal(findPortConflict([], others), undefined);
  assert.equal(findPortConflict([port("", 8081), port("192.0.2.3")], others), undefined);
  assert.equal(findPortConflict([port("", 8081), port("0.0.0.0")], others)?.owner, others[0]);
  const found = findPortConflict([port("192.0.2.9", 9000)], others);
  assert.deepEqual([found?.owner, found?.taken.hostPort, found?.taken.hostIp], [others[1], 9000, undefined]);
  const twice = findPortConflict([port(""), port("192.0.2.1")], []);
  assert.deepEqual([twice?.owner, twice?.wanted.hostIp?.text], [undefined, "192.0.2.1"]);
});

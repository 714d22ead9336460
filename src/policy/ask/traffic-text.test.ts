import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIcmp, parseTraffic, parseTraffics, trafficPoint, trafficText } from "./traffic-text.ts";

test("what is asked about is read and written back", () => {
  const cases: [string, string][] = [
    ["80", "80/TCP"],
    ["53/udp", "53/UDP"],
    ["http", "http/TCP"],
    ["dns-udp/UDP", "dns-udp/UDP"],
    ["5/SCTP", "5/SCTP"],
    ["icmp", "ICMP"],
    ["ICMP/8", "ICMP/8/0"],
    ["ICMP/3/4", "ICMP/3/4"],
    ["ip/47", "IP/47"],
  ];
  for (const [text, back] of cases) {
    const read = parseTraffic(text);
    assert.ok(read.ok, text);
    assert.equal(trafficText(read.value), back);
  }
});

test("what is no traffic is refused with examples", () => {
  for (const text of [
    "",
    "0",
    "65536",
    "80/XYZ",
    "80/TCP/1",
    "ICMP/256",
    "ICMP/8/0/0",
    "IP/256",
    "IP",
    "UPPER",
    "-1",
    "1.5",
  ])
    assert.equal(parseTraffic(text).ok, false, text);
  const bad = parseTraffics("80/TCP,70000");
  assert.ok(!bad.ok);
  assert.match(bad.error, /^"70000" is not traffic such as 80\/TCP, 53\/UDP/);
  assert.equal(parseIcmp("8/x").ok, false);
});

test("a packet's protocol and port, by family and by the receiver's names", () => {
  const point = (text: string, family: 4 | 6) => {
    const read = parseTraffic(text);
    assert.ok(read.ok);
    return trafficPoint(read.value, family, [{ name: "http", protocol: 6, port: 8080 }]);
  };
  assert.deepEqual(point("ICMP", 4), { protocol: 1, port: 0x0800 });
  assert.deepEqual(point("ICMP", 6), { protocol: 58, port: 0x8000 });
  assert.deepEqual(point("ICMP/3/4", 4), { protocol: 1, port: 0x0304 });
  assert.deepEqual(point("http", 4), { protocol: 6, port: 8080 });
  assert.equal(point("http/UDP", 4), undefined);
  assert.deepEqual(point("IP/47", 6), { protocol: 47, port: 0 });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readArgs } from "./args.ts";

test("Kubernetes' names are read", () => {
  const text =
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=coredns-1;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1";
  assert.deepEqual(readArgs(text), {
    ok: true,
    value: { pod: { namespace: "kube-system", name: "coredns-1", uid: "u-1" }, addrs: [], mac: undefined },
  });
});

test("nothing at all is fine", () => {
  assert.deepEqual(readArgs(""), {
    ok: true,
    value: { pod: { namespace: undefined, name: undefined, uid: undefined }, addrs: [], mac: undefined },
  });
});

test("IP= takes one or several, with and without length; MAC= one", () => {
  const r = readArgs("IP=10.1.2.3/24, fd00::5;MAC=02-AA-00-00-00-01");
  assert.ok(r.ok);
  assert.deepEqual(
    r.value.addrs.map((a) => a.text),
    ["10.1.2.3", "fd00::5"],
  );
  assert.equal(r.value.mac, "02:aa:00:00:00:01");
});

const REFUSED: readonly [text: string, want: RegExp][] = [
  ["FOO=1", /unknown "FOO": IgnoreUnknown=1 would allow it/],
  ["IgnoreUnknown=0;FOO=1", /unknown "FOO"/],
  ["FOO", /"FOO" is not KEY=VALUE/],
  ["=1", /"=1" is not KEY=VALUE/],
  ["K8S_POD_NAME=x;", /"" is not KEY=VALUE/],
  ["IP=10.1.2", /IP: "10.1.2" is not an IP address/],
  ["IP=10.1.2.3/40", /IP: /],
  ["MAC=zz", /MAC: "zz" is not a MAC address/],
  ["MAC=01:00:5e:00:00:01", /not a unicast MAC address/],
  [`K8S_POD_NAME=${"x".repeat(254)}`, /K8S_POD_NAME is longer than 253/],
  ["A=1;B;IP=x", /"B" is not KEY=VALUE; IP: .*; unknown "A"/],
];

for (const [text, want] of REFUSED)
  test(`refused: ${text.slice(0, 40)}`, () => {
    const r = readArgs(text);
    assert.ok(!r.ok, "the arguments were expected to be refused");
    assert.equal(r.error.code, 4);
    assert.match(r.error.msg, want);
  });

test("unknown keys are ignored on request", () => {
  for (const yes of ["1", "true", "TRUE"]) assert.ok(readArgs(`FOO=1;IgnoreUnknown=${yes};BAR=2`).ok, yes);
});

test("no text makes it throw", () => {
  const piece = fc.oneof(
    fc.constantFrom("IP=", "MAC=", ";", "=", "IgnoreUnknown=1", "K8S_POD_NAME=", ":", "/"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      assert.equal(typeof readArgs(pieces.join("")).ok, "boolean");
    }),
  );
});

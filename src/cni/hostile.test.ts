import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatError } from "./error.ts";
import { parseCall } from "./parse.ts";

const ENV = { CNI_COMMAND: "ADD", CNI_CONTAINERID: "c1", CNI_NETNS: "/run/netns/x", CNI_IFNAME: "eth0" };
const CONFIG = { cniVersion: "1.0.0", name: "twill", type: "twill" };

test("no bytes and no JSON make it throw, and a refusal is always an error object", () => {
  const key = fc.constantFrom(
    ...[
      "cniVersion",
      "name",
      "type",
      "mtu",
      "ipam",
      "ranges",
      "runtimeConfig",
      "ips",
      "ipRanges",
      "mac",
      "bandwidth",
      "args",
      "cni",
    ],
    ...[
      "prevResult",
      "ip4",
      "ip6",
      "interfaces",
      "routes",
      "dns",
      "address",
      "interface",
      "cni.dev/valid-attachments",
      "__proto__",
      "ifname",
    ],
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(
        "1.0.0",
        "0.2.0",
        "1.1.0",
        "twill",
        "loopback",
        "10.0.0.0/8",
        "10.0.0.1",
        "",
        null,
        0,
        -1,
        1e300,
        true,
      ),
      fc.string(),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(key, tie("any"), { maxKeys: 5 }),
    ),
  })).any;
  const sound = fc.dictionary(key, value, { maxKeys: 6 }).map((extra) => ({ ...CONFIG, ...extra }));
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    value.map((v) => JSON.stringify(v)),
    sound.map((v) => JSON.stringify(v)),
  );
  const command = fc.constantFrom("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "NONE");
  let accepted = 0;
  fc.assert(
    fc.property(command, text, (name, stdin) => {
      const r = parseCall({ ...ENV, CNI_COMMAND: name }, stdin);
      if (r.ok) accepted++;
      else {
        const error = JSON.parse(formatError(r.error.version, r.error.error));
        assert.ok(error.code > 0 && error.msg.length > 0);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(accepted > 50, `${accepted} of the calls were sound`);
});

test("deeply nested JSON is refused, not a crash", () => {
  for (const text of ["[".repeat(1_000_000), `{"name":${"[".repeat(100_000)}${"]".repeat(100_000)}}`]) {
    const r = parseCall(ENV, text);
    assert.ok(!r.ok);
    assert.match(formatError(r.error.version, r.error.error), /"code":[67]/);
  }
});

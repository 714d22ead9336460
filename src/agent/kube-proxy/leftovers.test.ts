/** IPVS by recorded words: kernels of test machines have none (`ipvsadm`: "Can't initialize ipvs: Protocol not available"). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { findLeftovers, type Ran } from "./leftovers.ts";

/** As `ip -o addr show dev kube-ipvs0` has it. */
const DEVICE = `7: kube-ipvs0    inet 10.96.0.1/32 scope global kube-ipvs0\\       valid_lft forever preferred_lft forever
7: kube-ipvs0    inet6 fd00:96::a/128 scope global \\       valid_lft forever preferred_lft forever
`;
/** As `ipvsadm -S -n` (1.31) has it; the last two are somebody else's. */
const SERVERS = `-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 192.0.2.1:6443 -m -w 1
-A -u [fd00:96::a]:53 -s rr
-A --sctp-service 10.96.0.1:9999 -s rr
-A -t 198.51.100.7:80 -s wlc
-a -t 198.51.100.7:80 -r 10.0.0.1:80 -m -w 1
`;

/** Programs by their first words; all others are not there. */
function machine(answers: Readonly<Record<string, Partial<Ran>>>) {
  const asked: string[] = [];
  const run = (argv: readonly string[]): Promise<Ran> => {
    const text = argv.join(" ");
    asked.push(text);
    const found = Object.entries(answers).find(([words]) => text.startsWith(words))?.[1];
    return Promise.resolve({ code: found === undefined ? undefined : 0, stdout: "", stderr: "", ...found });
  };
  return { run, asked };
}

test("virtual servers at the device's addresses go, then the device; others' stay", async () => {
  const { run, asked } = machine({
    "ip -o addr": { stdout: DEVICE },
    "ipvsadm -S": { stdout: SERVERS },
    "ipvsadm -D": {},
    "ip link del": {},
  });
  const { steps, kept } = await findLeftovers(run);
  assert.deepEqual(kept, []);
  for (const step of steps) await step.run();
  assert.deepEqual(
    asked.filter((a) => /^(ipvsadm -D|ip link)/.test(a)),
    [
      "ipvsadm -D -t 10.96.0.1:443",
      "ipvsadm -D -u [fd00:96::a]:53",
      "ipvsadm -D --sctp-service 10.96.0.1:9999",
      "ip link del kube-ipvs0",
    ],
  );
});

test("the device goes where virtual servers cannot be listed, and that is said", async () => {
  for (const [failed, why] of [
    [{ code: 2, stderr: "Can't initialize ipvs: Protocol not available\nAre you sure\n" }, /Protocol not available$/],
    [{ code: undefined, stderr: "spawn ipvsadm ENOENT" }, /ENOENT$/],
  ] as const) {
    const { run } = machine({ "ip -o addr": { stdout: DEVICE }, "ipvsadm -S": failed });
    const { steps, kept } = await findLeftovers(run);
    assert.deepEqual(
      steps.map((s) => s.what),
      ["ip link del kube-ipvs0"],
    );
    assert.match(kept.join(), why);
  }
});

test("without the device nothing is asked of IPVS", async () => {
  const { run, asked } = machine({ "ip -o addr": { code: 1 } });
  assert.deepEqual((await findLeftovers(run)).steps, []);
  assert.ok(!asked.some((a) => a.startsWith("ipvsadm")));
});

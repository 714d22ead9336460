/** A process of the test beside: attaches and detaches on a shared ledger until it is killed or has done enough. */

import { allocate } from "../../ipam/allocate.ts";
import { makePool } from "../../ipam/pool.ts";
import { mac } from "../../net/mac.ts";
import { prefix } from "../../net/prefix.ts";
import { openLedger } from "../open.ts";

const [, , path = "", name = "", rounds = "0"] = process.argv;
const pools = [makePool("v4", prefix("10.244.1.0/26"))];
const monotonicMs = () => Number(process.hrtime.bigint() / 1_000_000n);
using ledger = openLedger({ path, bootId: "boot", coolDownMs: 50, lockTimeoutMs: 30_000, monotonicMs });
const own: number[] = [];
for (let i = 0; i < Number(rounds); i++) {
  ledger.exclusive(() => {
    const begun = ledger.begin(
      {
        network: "n",
        containerId: `${name}-${i}`,
        ifname: "eth0",
        netnsPath: "/run/netns/x",
        netnsId: "4:1",
        hostIfname: "twl000000000000",
        mac: mac("02:00:00:00:00:01"),
        mtuBytes: 1450,
        download: undefined,
        upload: undefined,
        hostPorts: [],
        podNamespace: undefined,
        podName: undefined,
        podUid: undefined,
        createdAtMs: 0,
      },
      (occupancy) => allocate({ pools, statics: [], rangeSets: [] }, occupancy),
    );
    if (!begun.ok) throw new Error(begun.error.message);
    own.push(begun.value.id);
    ledger.commit(begun.value.id, 1);
  });
  if (own.length > 5) ledger.remove(own.shift() ?? 0);
  // The parent kills at a moment that this line chooses, or soon after: nothing waits for it.
  process.stdout.write(".");
}

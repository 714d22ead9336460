/** `twill cleanup kube-proxy` on a firewall of both kinds: what is kube-proxy's goes, and everything else stays byte for byte. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runningProxies } from "../../src/agent/kube-proxy/leftovers.ts";
import { CommandError, inNetns, run, Sandbox } from "../fixture/sandbox.ts";

const TWILL = fileURLToPath(new URL("../../bin/twill", import.meta.url));

/** What others have there. */
const OTHERS = `*filter
:CNI-ADMIN - [0:0]
:KUBE-FIREWALL - [0:0]
-A FORWARD -m comment --comment "mine, not -j KUBE-FORWARD" -j CNI-ADMIN
-A INPUT -j KUBE-FIREWALL
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
:MINE - [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j MINE
-A POSTROUTING -o mine0 -j ACCEPT
COMMIT
`;
const PROXY = `*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-SEP-ABCDEFGHIJKLMNOP - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-SERVICES -m comment --comment "default/kubernetes:https" -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-ABCDEFGHIJKLMNOP
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
COMMIT
`;

const box = new Sandbox("twkp");
let netns: string;

before(() => {
  netns = box.netns("node");
});
after(() => box[Symbol.dispose]());

const within = (argv: readonly string[], input?: string) =>
  run(inNetns(netns, argv), input === undefined ? {} : { input });
const twill = (...args: string[]) => within([TWILL, "cleanup", "kube-proxy", ...args]);
/** Without counters and dates. */
const saved = () =>
  ["iptables-nft-save", "ip6tables-nft-save", "nft list ruleset"]
    .map((c) => within(c.split(" ")).replace(/^#.*$|\[\d+:\d+\]|counter packets \d+ bytes \d+/gm, ""))
    .join("\n");

test("what is kube-proxy's goes, and everything else stays as it was", () => {
  for (const program of ["iptables-nft", "ip6tables-nft"]) within([`${program}-restore`, "--noflush"], OTHERS);
  within(["nft", "add", "table", "ip", "mine"]);
  const before = saved();
  for (const program of ["iptables-nft", "ip6tables-nft"]) within([`${program}-restore`, "--noflush"], PROXY);
  for (const family of ["ip", "ip6"]) within(["nft", "add", "table", family, "kube-proxy"]);
  const dry = twill("--dry-run");
  assert.match(dry, /^iptables-nft: table nat, 5 chains of kube-proxy and 2 rules that lead into them$/m);
  assert.match(dry, /^nft: table ip6 kube-proxy$/m);
  assert.notEqual(saved(), before, "a dry run removes nothing");
  // Another test of this machine may run a kube-proxy of its own.
  const { removed, kept, failures } = JSON.parse(twill("--force", "--json"));
  assert.deepEqual([removed.length, kept, failures], [6, [], []]);
  assert.equal(saved(), before);
  assert.equal(twill("--force"), "Nothing of kube-proxy's is on this node.\n");
});

test("the device of IPVS mode goes, whatever kind it is of", () => {
  within(["ip", "link", "add", "kube-ipvs0", "type", "veth", "peer", "name", "ipvs-peer"]);
  within(["ip", "addr", "add", "10.96.0.1/32", "dev", "kube-ipvs0"]);
  const { removed, failures } = JSON.parse(twill("--force", "--json"));
  assert.deepEqual([removed, failures], [["ip link del kube-ipvs0"], []]);
  assert.throws(() => within(["ip", "link", "show", "kube-ipvs0"]), CommandError);
});

test("a running kube-proxy is found, and others are not", () => {
  const proc = mkdtempSync(join(tmpdir(), "twill-proc-"));
  try {
    for (const [pid, comm] of [
      ["12", "kube-proxy"],
      ["13", "kubelet"],
      ["self", "kube-proxy"],
    ] as const) {
      mkdirSync(join(proc, pid));
      writeFileSync(join(proc, pid, "comm"), `${comm}\n`);
    }
    assert.deepEqual(runningProxies(proc), [12]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});

test("an option that there is not is refused", () => {
  assert.throws(() => twill("--all"), CommandError);
});

/** Every command of `twill` against a real agent, and against a node whose agent is away. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { AgentStatus } from "../../src/agent/status/status.ts";
import type { MapDump } from "../../src/cli/commands/bpf.ts";
import { CommandError } from "../../src/lab/run.ts";
import { BPF_MAPS } from "../../src/net/gen/bpf-maps.ts";
import { addPod, deletePod, type Pod, startNodes, type TwillNode } from "../fixture/twill-nodes.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const TWILL = `${CHECKOUT}bin/twill`;

const stack = new AsyncDisposableStack();
let node: TwillNode;
let pod: Pod;

before(async () => {
  const config = {
    ipam: { coolDownSeconds: 0 },
    metrics: { listen: "127.0.0.1:9871" },
    health: { listen: "[::1]:9872" },
    // What a test breaks is not to be put right by an agent that looks at everything now and then.
    resyncSeconds: 3600,
  };
  const [first] = await startNodes(stack, { count: 1, config });
  assert.ok(first);
  node = first;
  pod = await addPod(node, { name: "pod-a" });
});

after(() => stack.disposeAsync());

/** Output and exit code, also of a command that refuses. */
async function outcome(run: Promise<string>): Promise<{ code: number; out: string; err: string }> {
  try {
    return { code: 0, out: await run, err: "" };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.output.code, out: error.output.stdout, err: error.output.stderr };
  }
}

const cli = (...args: string[]) => outcome(node.cli(...args));

/** Through the starter, without the configuration's option. */
const plain = (...args: string[]) => outcome(node.run([TWILL, ...args]));

async function json<T>(...args: string[]): Promise<T> {
  const { out } = await cli(...args, "--json");
  return JSON.parse(out) as T;
}

describe("with an agent", () => {
  it("status says in one screen that all is well", async () => {
    const { out, code } = await cli("status");
    assert.equal(code, 0);
    assert.match(out, /^node-1 +ready\nAgent +twill 0\.1\.0, pid \d+/);
    assert.match(
      out,
      /Underlay +eth0 \(MTU 1500\); IPv4 tunnels; pods' MTU 1450; masquerade to 192\.168\.78\.1, fd00:78::1/,
    );
    assert.match(out, /IPAM +10\.244\.1\.0\/24: 1 used, 0 cooling, 252 free/);
    assert.match(out, /Endpoints +1 ready/);
    assert.ok(!out.includes("\x1b"), "no terminal, no colours");
    assert.ok(out.split("\n").length < 30, "one screen");
  });

  it("status --json is for programs; --wait returns when ready", async () => {
    const status = await json<AgentStatus>("status", "--wait");
    assert.equal(status.isReady, true);
    assert.deepEqual(status.notReady, []);
    assert.equal(status.reconcile.failing, 0);
    assert.deepEqual(status.maps.map((m) => m.name).sort(), Object.keys(BPF_MAPS).sort());
  });

  it("endpoint list and get show the pod", async () => {
    const { out } = await cli("endpoint", "list");
    assert.match(out, /^ID +POD +CONTAINER/);
    assert.match(out, /default\/pod-a +pod-a +eth0 +10\.244\.1\.\d+,fd00:10:244:1::\S+ +twl[0-9a-f]{12} +ready/);
    const [v4 = ""] = pod.addresses;
    for (const what of ["pod-a", "default/pod-a", v4]) {
      const found = await json<{ pod: string; addrs: string[] }>("endpoint", "get", what);
      assert.equal(found.pod, "default/pod-a");
      assert.deepEqual(found.addrs, pod.addresses);
    }
    const nobody = await cli("endpoint", "get", "nobody");
    assert.equal(nobody.code, 2);
    assert.match(nobody.err, /No attachment on this node is "nobody": twill endpoint list/);
  });

  it("ipam show names who holds what; check finds nothing", async () => {
    const { out } = await cli("ipam", "show");
    assert.match(out, /10\.244\.1\.0\/24 +253 +1 +0 +252/);
    assert.match(out, /10\.244\.1\.\d+ +used +default\/pod-a/);
    const check = await cli("ipam", "check");
    assert.deepEqual([check.code, check.out], [0, "Ledger, devices and maps agree.\n"]);
  });

  it("ipam check --fix mends what somebody broke", async () => {
    const [row] = (await json<MapDump>("bpf", "dump", "endpoints")).entries.filter((r) =>
      `${r["address"]}`.includes("."),
    );
    assert.ok(row);
    const hex = `${row["address"]}`.split(".").map((b) => Number(b).toString(16).padStart(2, "0"));
    const key = [...Array(10).fill("00"), "ff", "ff", ...hex];
    await node.run(["bpftool", "map", "delete", "pinned", "/sys/fs/bpf/twill/endpoints", "key", "hex", ...key]);
    const before = await cli("ipam", "check");
    assert.equal(before.code, 1);
    assert.match(
      before.out,
      /✗ +entry-missing +10\.244\.1\.\d+ +No entry in "endpoints": default\/pod-a has no network/,
    );
    const fix = await cli("ipam", "check", "--fix");
    assert.equal(fix.code, 0);
    assert.match(fix.out, /mended +entry-missing/);
    assert.equal((await cli("ipam", "check")).code, 0);
  });

  it("node list shows how nodes are reached", async () => {
    assert.match(
      (await cli("node", "list")).out,
      /node-1 +this node +- +192\.168\.78\.1,fd00:78::1 +10\.244\.1\.0\/24/,
    );
  });

  it("bpf list and dump decode the maps", async () => {
    assert.match((await cli("bpf", "list")).out, /ipcache +lpm_trie +\d+ +131072 +<1%/);
    assert.match((await cli("bpf", "dump", "ipcache")).out, /10\.244\.1\.0\/24 +no_masquerade,pod_cidr +- +0/);
    assert.match((await cli("bpf", "dump", "config")).out, /192\.168\.78\.1 +fd00:78::1 +10\.244\.1\.1/);
    const wrong = await cli("bpf", "dump", "ipcach");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /There is no map "ipcach": did you mean "ipcache"\?/);
  });

  it("bpf dump says what its limit has left out, to programs too", async () => {
    const whole = await json<MapDump>("bpf", "dump", "ipcache");
    assert.deepEqual([whole.map, whole.truncated, whole.total], ["ipcache", false, whole.entries.length]);
    assert.ok(whole.total > 2);
    const part = await json<MapDump>("bpf", "dump", "ipcache", "--limit", "2");
    assert.deepEqual(part, { map: "ipcache", total: whole.total, truncated: true, entries: whole.entries.slice(0, 2) });
    const why = `"ipcache" has ${whole.total} entries, of which 2 are printed: --limit ${whole.total} prints all`;
    for (const more of [[], ["--json"]]) {
      const errors = [
        "sh",
        "-c",
        'exec "$@" 2>&1 >/dev/null',
        "sh",
        TWILL,
        "bpf",
        "dump",
        "ipcache",
        "--limit",
        "2",
        ...more,
      ];
      assert.equal((await node.run(errors)).trim(), why);
    }
    assert.equal((await cli("bpf", "dump", "ipcache", "--limit", "2")).out.trim().split("\n").length, 3);
    for (const limit of ["0", "-1", "all", "1e3"]) {
      const wrong = await cli("bpf", "dump", "ipcache", `--limit=${limit}`);
      assert.deepEqual([wrong.code, wrong.err.includes(`--limit: "${limit}" is no whole number from 1`)], [2, true]);
    }
  });

  it("version tells of both", async () => {
    assert.equal((await cli("version")).out, "twill 0.1.0\nagent 0.1.0\n");
  });

  it("cleanup refuses while the agent runs, and says in advance what it would remove", async () => {
    const refused = await cli("cleanup");
    assert.equal(refused.code, 2);
    assert.match(refused.err, /The agent is running and would put everything back/);
    const { out } = await cli("cleanup", "--dry-run");
    for (const what of [
      "10-twill.conflist",
      "tcx detach eth0 egress to_wire",
      "ip link del twill0",
      "ip route del 10.244.0.0/16 dev twill0",
      "/sys/fs/bpf/twill",
      "/run/twill",
    ])
      assert.ok(out.includes(what), what);
  });

  it("a second agent says that another one is running, and ends", async () => {
    const second = await cli("agent", "--node", "node-1");
    assert.equal(second.code, 1);
    assert.match(second.err, /another agent answers there/);
    assert.equal((await cli("status")).code, 0);
  });

  it("metrics and health answer on TCP, and nothing else does", async () => {
    const get = (host: string, port: string, path: string) =>
      node.run(["curl", "-sS", "-o", "-", "-w", "\n%{http_code}", `http://${host}:${port}${path}`]);
    const metrics = await get("127.0.0.1", "9871", "/metrics");
    for (const line of [
      "twill_agent_ready 1",
      'twill_ipam_addresses{pool="10.244.1.0/24",state="used"} 1',
      'twill_map_entries{map="endpoints"} 2',
      'twill_endpoints{state="ready"} 1',
      'twill_rows{table="links",state="done"} 2',
    ])
      assert.ok(metrics.includes(`${line}\n`), `${line} in ${metrics}`);
    assert.match(await get("[::1]", "9872", "/readyz"), /^ok\n\n200$/);
    assert.match(await get("[::1]", "9872", "/healthz"), /^ok\n\n200$/);
    assert.match(await get("127.0.0.1", "9871", "/v1/status"), /\n404$/);
    assert.match(await get("[::1]", "9872", "/metrics"), /\n404$/);
  });
});

describe("words", () => {
  it("wrong uses are told with what would be right", async () => {
    for (const [args, expected] of [
      [["statsu"], /unknown command 'statsu'[\s\S]*Did you mean status/],
      [["bpf", "dump"], /missing required argument 'map'/],
      [["status", "--set", "tunnel"], /"tunnel" is not PATH=VALUE/],
      [["status", "--wait", "--timeout", "abc"], /"abc" is not a time-out: seconds/],
      [["completion", "tcsh"], /Allowed choices are bash, zsh, fish/],
    ] as const) {
      const refused = await plain(...args);
      assert.equal(refused.code, 2, args.join(" "));
      assert.match(refused.err, expected);
    }
  });

  it("others than root learn why they are refused", async () => {
    const words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"];
    // Where others cannot enter the folder that the checkout lies in, they can by this way, which only the node has.
    await node.run(["mount", "--bind", CHECKOUT, "/mnt"]);
    const agent = ["/mnt/bin/twill", "agent"];
    const settings = ["--set", "nodeName=x", "--set", "cluster=dir:/tmp", "--run-dir", "/run/twill-nobody"];
    const refused = await outcome(node.run(["setpriv", ...words, ...agent, ...settings]));
    assert.equal(refused.code, 1);
    assert.match(refused.err, /This ran as uid 65534: Twill makes devices and loads eBPF, which only root may/);
  });

  it("a configuration that is wrong is refused with all issues", async () => {
    const refused = await cli("agent", "--set", "tunnel.prot=1", "--set", "mtu=12");
    assert.equal(refused.code, 1);
    assert.match(refused.err, /tunnel\.prot: Unknown key "prot": did you mean "port"\?/);
    assert.match(refused.err, /mtu: 12 is less than 576/);
  });

  it("lab hands its words on to the lab, as they are", async () => {
    const { out } = await plain("lab", "exec", "--help");
    assert.match(out, /^Usage: lab exec \[options\] <target> \[command\.\.\.\]/);
  });

  it("completion scripts are what their shells read", async () => {
    const bash = await node.run([
      "bash",
      "-ec",
      `${(await plain("completion", "bash")).out}
      COMP_WORDS=(twill bpf dump ip); COMP_CWORD=3; _twill; echo "$COMPREPLY"`,
    ]);
    assert.equal(bash, "ipcache\n");
    assert.match(
      await node.run([
        "bash",
        "-ec",
        `${(await plain("completion", "bash")).out}
      COMP_WORDS=(twill lab probe --po); COMP_CWORD=3; _twill; echo "$COMPREPLY"`,
      ]),
      /^--ports\n/,
    );
    const zsh = (await plain("completion", "zsh")).out;
    assert.match(zsh, /^#compdef twill\n/);
    // In zsh the array `path` is PATH itself.
    assert.doesNotMatch(zsh, /\bpath=/);
    assert.match((await plain("completion", "fish")).out, /complete -c twill -f -n '__twill_at "bpf"' -a dump/);
  });
});

describe("without an agent", () => {
  before(() => node.stopAgent());

  it("the data plane stays, and status says so", async () => {
    const { out, code } = await cli("status");
    assert.equal(code, 1);
    assert.match(out, /✗ Cannot ask the agent at "\/run\/twill\/control\.sock": no agent is running here/);
    assert.match(out, /programs on 5 hooks go on forwarding/);
    assert.match(out, /Endpoints +1 ready/);
    const status = await json<{ isReady: boolean; offline: { attachments: number } }>("status");
    assert.deepEqual([status.isReady, status.offline.attachments], [false, 5]);
  });

  it("endpoints, addresses and maps can be looked at", async () => {
    assert.match((await cli("endpoint", "list")).out, /default\/pod-a/);
    assert.match((await cli("ipam", "show")).out, /10\.244\.1\.0\/24 +253 +1/);
    // As where the agent has its node's name from its pod's environment.
    assert.match((await cli("ipam", "show", "--set", "nodeName=elsewhere")).out, /10\.244\.1\.0\/24 +253 +1/);
    assert.equal((await cli("ipam", "check")).code, 0);
    assert.match((await cli("bpf", "dump", "nodes")).out, /empty/);
    assert.match((await cli("bpf", "dump", "events")).out, /is a ring buffer.*twill monitor/);
    assert.equal((await cli("version")).out, "twill 0.1.0\nagent not running\n");
    const nodes = await cli("node", "list");
    assert.deepEqual([nodes.code, nodes.err.includes("no agent is running here")], [1, true]);
  });

  it("cleanup refuses while pods are attached, then leaves nothing", async () => {
    const refused = await cli("cleanup");
    assert.equal(refused.code, 2);
    assert.match(refused.err, /1 pod is attached/);
    await deletePod(pod);
    const { out, code } = await cli("uninstall");
    assert.equal(code, 0, out);
    const left = await node.run([
      "sh",
      "-c",
      "ip -o link; ip route show table all proto 87; ls /sys/fs/bpf /run /etc/cni/net.d /opt/cni/bin",
    ]);
    assert.ok(!/twill0|twill1|twill_vx|twl[0-9a-f]{12}|proto 87|10-twill|^twill$/m.test(left), left);
    assert.equal((await cli("cleanup")).out, "Nothing of Twill's is on this node.\n");
  });
});

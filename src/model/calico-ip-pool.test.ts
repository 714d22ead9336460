import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIssues } from "../base/issue.ts";
import { unwrap } from "../base/result.ts";
import { type CalicoIpPool, parseCalicoIpPool } from "./calico-ip-pool.ts";
import { createInterner } from "./intern.ts";

const parse = (spec: object) => parseCalicoIpPool({ metadata: { name: "p" }, spec }, createInterner());
const pool = (spec: object): CalicoIpPool => unwrap(parse(spec));
const notesOf = (spec: object) => pool(spec).notes.map((n) => `${n.path}: ${n.message}`);
/** As Calico's operator makes one. */
const USUAL = { cidr: "10.48.0.0/16", blockSize: 26, vxlanMode: "Always", natOutgoing: true, nodeSelector: "all()" };

test("a pool as Calico makes it is one that nodes' CIDRs are carved from, and all of it is followed", () => {
  const { nodes, loadBalancer, notes } = pool({
    ...USUAL,
    allowedUses: ["Workload", "Tunnel"],
    disableBGPExport: false,
  });
  assert.deepEqual([nodes?.cidr.text, nodes?.blockLength, nodes?.selector], ["10.48.0.0/16", 26, undefined]);
  assert.deepEqual([nodes?.isDisabled, loadBalancer.ranges, notes], [false, [], []]);
  assert.equal(pool({ ...USUAL, disabled: true }).nodes?.isDisabled, true);
  assert.equal(pool({ ...USUAL, nodeSelector: "rack == 'a'" }).nodes?.selector !== undefined, true);
});

test("its uses say for whom it is", () => {
  const uses = (...allowedUses: string[]) => {
    const { nodes, loadBalancer } = pool({ ...USUAL, cidr: "192.0.2.0/24", allowedUses });
    return [nodes !== undefined, loadBalancer.ranges.length > 0];
  };
  assert.deepEqual(uses(), [true, false]);
  assert.deepEqual(uses("Workload", "LoadBalancer"), [true, true]);
  assert.deepEqual(uses("LoadBalancer"), [false, true]);
  assert.deepEqual(uses("Tunnel"), [false, false]);
});

const NOTED: readonly (readonly [string, object, readonly RegExp[]])[] = [
  ["IP in IP", { ipipMode: "CrossSubnet", vxlanMode: "Never" }, [/^spec\.ipipMode: CrossSubnet: .* VXLAN$/]],
  ["no tunnel", { vxlanMode: undefined }, [/^spec\.vxlanMode: Never: all packets .* VXLAN$/]],
  ["no tunnel within a subnet", { vxlanMode: "CrossSubnet" }, [/^spec\.vxlanMode: CrossSubnet/]],
  ["no masquerading", { natOutgoing: false }, [/^spec\.natOutgoing: false: .*masquerade\.enabled$/]],
  ["another size of blocks", { blockSize: 28 }, [/^spec\.blockSize: 28: a node has one block/]],
  ["namespaces", { namespaceSelector: "has(x)" }, [/^spec\.namespaceSelector: /]],
  ["by request only", { assignmentMode: "Manual" }, [/^spec\.assignmentMode: Manual: no node/]],
  ["interfaces", { allowedUses: ["Workload", "HostSecondaryInterface"] }, [/^spec\.allowedUses: HostSecondary/]],
  ["a later field", { colour: "red" }, [/^spec\.colour: Not known to Twill$/]],
];

for (const [name, spec, expected] of NOTED)
  test(`what is not followed is said: ${name}`, () => {
    const notes = notesOf({ ...USUAL, ...spec });
    assert.equal(notes.length, expected.length, notes.join("\n"));
    for (const [i, e] of expected.entries()) assert.match(notes[i] ?? "", e);
  });

const WRONG: readonly (readonly [string, object, RegExp])[] = [
  ["no CIDR", { cidr: undefined }, /^spec\.cidr: A value is required$/],
  ["host bits", { cidr: "10.48.0.1/16" }, /^spec\.cidr: .*host bits/],
  ["too small", { cidr: "10.48.0.0/31" }, /^spec\.cidr: .*too small: at most \/30/],
  ["size of blocks", { blockSize: 33 }, /^spec\.blockSize: 33 is not an integer from 20 to 32$/],
  ["selector", { nodeSelector: "rack ==" }, /^spec\.nodeSelector: "rack ==" is not a selector/],
  ["use", { allowedUses: ["Pods"] }, /^spec\.allowedUses\[0\]: "Pods" is none of Workload, /],
  ["mode", { assignmentMode: "Sometimes" }, /^spec\.assignmentMode: /],
];

for (const [name, spec, expected] of WRONG)
  test(`what cannot be is refused: ${name}`, () => {
    const read = parse({ ...USUAL, ...spec });
    assert.ok(!read.ok);
    assert.match(formatIssues(read.error), expected);
  });

/** The fake's state in the words of iproute2 and bpftool, for goldens that operators can read. */

import type { Route } from "../kernel.ts";
import type { FakeDevice, FakeMachine, FakeNetns } from "./machine.ts";

/** The node's side: devices, addresses, routes, settings, attachments, maps that hold something. */
export function printNode(machine: FakeMachine): string {
  const lines = printNetns(machine.node);
  for (const [path, { programs }] of machine.groups)
    lines.push(...[...programs].map(([hook, program]) => `cgroup ${path} ${hook} ${program.name}`));
  for (const { maps } of machine.pins.values()) {
    for (const map of maps.values()) {
      const isArray = map.spec.type === "array" || map.spec.type === "percpu_array";
      // An array is always full: what was never written to says nothing.
      const rows = map.rows().filter((r) => !isArray || r.value.some((b) => b !== 0));
      if (rows.length === 0) continue;
      lines.push(`map ${map.name} ${map.spec.type}${isArray ? "" : ` ${map.size}/${map.spec.maxEntries}`}`);
      lines.push(...rows.map((r) => `  ${hex(r.key)}: ${hex(r.value)}`).sort());
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A pod's side; empty when the path leads to no namespace. */
export function printPod(machine: FakeMachine, path: string): string {
  const netns = machine.netns(path);
  return netns === undefined ? "" : `${printNetns(netns).join("\n")}\n`;
}

function printNetns(netns: FakeNetns): string[] {
  const devices = [...netns.devices].sort((a, b) => a.ifindex - b.ifindex);
  return [
    ...devices.flatMap(printDevice),
    ...devices.flatMap((d) => d.routes.map(printRoute)).sort(),
    ...devices.flatMap((d) => [...d.neighbours].map(([a, mac]) => `${a} dev ${d.name} lladdr ${mac} PERMANENT`)),
    ...[...netns.sysctls].sort().map(([name, value]) => `${name.replaceAll("/", ".")} = ${value}`),
  ];
}

function printDevice(d: FakeDevice): string[] {
  const flags = [d.isNoArp ? "NOARP" : "", d.isUp ? "UP" : ""].filter((f) => f !== "").join(",");
  const peer = d.peer === undefined ? "" : d.peer.netns === d.netns ? `@${d.peer.name}` : `@if${d.peer.ifindex}`;
  const kind = d.kind === "vxlan" ? ` vxlan external dstport ${d.vxlanPort}` : d.kind === "veth" ? " veth" : "";
  return [
    `${d.ifindex}: ${d.name}${peer}: <${flags}> mtu ${d.mtuBytes} link/ether ${d.mac}${kind}`,
    ...d.addrs.map((a) => `    inet${a.addr.family === 6 ? "6" : ""} ${a.addr.text}/${a.length}`),
    ...[...d.programs].sort().map(([direction, program]) => `    tcx/${direction} ${program.name}`),
  ];
}

function printRoute(r: Route): string {
  const isDefault = r.dst.length === 0;
  return [
    isDefault ? (r.dst.family === 6 ? "default6" : "default") : r.dst.text,
    r.gateway === undefined ? "" : `via ${r.gateway.text}`,
    `dev ${r.link} proto ${r.protocol}`,
    r.src === undefined ? "" : `src ${r.src.text}`,
    r.mtuBytes === undefined ? "" : `mtu ${r.mtuBytes}`,
  ]
    .filter((word) => word !== "")
    .join(" ");
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

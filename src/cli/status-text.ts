/** The status of an agent as one screen of text. */

import type { PolicyStatus } from "../agent/policy/policy-status.ts";
import type { ServiceStatus } from "../agent/service/service-status.ts";
import type { AgentStatus, MapStatus, NodeStatus, PoolStatus } from "../agent/status/status.ts";
import type { Palette } from "./colour.ts";
import { formatAge, formatShare, formatTable } from "./table.ts";

/** Nodes that are named; the others are counted. */
const MAX_NODES = 8;

/** The same for pods that policy closes. */
const MAX_CLOSED = 5;

/** A map above this share is a warning. */
const WARN_FILL = 0.8;

function troubles(s: AgentStatus, p: Palette): string {
  const lines = s.notReady.map((r) => p.bad(`  ✗ ${r}`));
  for (const m of s.maps)
    if (m.entries !== undefined && m.entries > m.maxEntries * WARN_FILL)
      lines.push(p.warn(`  ! map "${m.name}" is ${formatShare(m.entries, m.maxEntries)} full: raise maps.${m.name}`));
  for (const pool of s.pools)
    if (pool.free === "0")
      lines.push(p.warn(`  ! pool ${pool.prefix} has no free address (${pool.used} used, ${pool.cooling} cooling)`));
  lines.push(...policyTroubles(s.policy, p), ...serviceTroubles(s.services, p));
  if (!s.cluster.isLive)
    lines.push(
      p.warn(
        `  ! ${s.cluster.source} is not live: ${s.cluster.lastError ?? "no answer yet"}; nothing changes meanwhile`,
      ),
    );
  for (const f of s.cluster.forbidden) lines.push(p.warn(`  ! may not be seen, so not applied: ${f}`));
  for (const i of [
    ...s.issues.map((x) => (x.path === "" ? x.message : `${x.path}: ${x.message}`)),
    ...s.cluster.problems,
  ])
    lines.push(p.warn(`  ! ${i}`));
  return lines.map((l) => `${l}\n`).join("");
}

/** What does not fit is among the issues. */
function policyTroubles({ tables, closed, waiting }: PolicyStatus, p: Palette): string[] {
  const full = tables.filter((t) => t.rows > t.limit * WARN_FILL);
  const unknown = closed.filter((c) => c.why === "unknown");
  const more = unknown.length - MAX_CLOSED;
  return [
    ...full.map(
      (t) => `policy's share of map "${t.table}" is ${formatShare(t.rows, t.limit)} full: raise maps.${t.table}`,
    ),
    ...unknown.slice(0, MAX_CLOSED).map((c) => `${c.name} is closed: ${c.reason}`),
    ...(more > 0 ? [`${more} more pods are closed: twill status --json`] : []),
    ...(waiting.length > 0 ? [`waiting until the cluster shows ${waiting.slice(0, MAX_CLOSED).join(", ")}`] : []),
  ].map((text) => p.warn(`  ! ${text}`));
}

function policyText(policy: PolicyStatus): string[] {
  const { policies, staged, rules, classes, identities } = policy;
  const counted = staged === 0 ? "" : ` (${staged} staged)`;
  const refused = policy.refused === 0 ? "" : `, ${policy.refused} refused`;
  const size = `${policies} policies${counted}${refused}, ${rules} rules in ${classes} classes, ${identities} identities`;
  const last = policy.changes === 0 ? "nothing written yet" : `last change ${policy.lastChangeMs.toFixed(1)} ms`;
  return policy.isReady ? [`${size}; ${last}`] : [`not applied: ${policy.problem ?? "?"}`, size];
}

/** What is not done is told; that nothing is done at all stands among the issues. */
function serviceTroubles({ issues, issueCount }: ServiceStatus, p: Palette): string[] {
  const more = issueCount - MAX_CLOSED;
  return [
    ...issues.slice(0, MAX_CLOSED).map((i) => `service ${i}`),
    ...(more > 0 ? [`${more} more of services: twill status --json`] : []),
  ].map((text) => p.warn(`  ! ${text}`));
}

function kubeProxyText({ kubeProxy: { mode, hasRules } }: ServiceStatus): string[] {
  if (mode !== undefined) return [`kube-proxy runs beside (${mode}), and sees what Twill has not translated`];
  return hasRules ? ["kube-proxy has left rules in the firewall: twill cleanup kube-proxy"] : [];
}

function servicesText(s: ServiceStatus): string {
  if (!s.isEnabled) return "off";
  const size = `${s.services} at ${s.frontends} addresses, ${s.backends} backends`;
  const last = s.changes === 0 ? "nothing written yet" : `last change ${s.lastChangeMs.toFixed(1)} ms`;
  return s.isReady ? `${size}; ${last}` : `not applied: ${s.problem ?? "?"}; ${size}`;
}

/** Addresses of load balancers; none where nobody announces any. */
function announceText({ announce: a }: ServiceStatus): string[] {
  if (a.held + a.standby === 0) return [];
  const over = a.changes.taken_over === 0 ? "" : `; taken over ${a.changes.taken_over} times`;
  return [`announces ${a.held} addresses, stands by for ${a.standby}${over}`];
}

/** What sockets asked; none where no program sees any. */
function socketText({ sockets }: AgentStatus): string[] {
  if (sockets.length === 0) return [];
  return [`sockets: ${sockets.map((x) => `${x.name.replaceAll("_", " ")} ${x.times}`).join(", ")}`];
}

function eventsText({ events: e }: AgentStatus): string {
  const kinds = Object.entries(e.taken).map(([kind, n]) => `${kind} ${n}`);
  const followers = e.followers === 0 ? "" : `; ${e.followers} following`;
  return `${kinds.join(", ")}${followers}: twill monitor`;
}

function poolText(pool: PoolStatus): string {
  const used = Number(pool.used);
  return `${pool.prefix}: ${pool.used} used, ${pool.cooling} cooling, ${shortNumber(pool.free)} free (${formatShare(used, Number(pool.usable))})`;
}

/** Decimal text; beyond a million as a power of ten, since nobody reads the rest. */
export function shortNumber(text: string): string {
  return text.length <= 7 ? text : `${text[0]}.${text[1]}e${text.length - 1}`;
}

function nodeText(n: NodeStatus): string {
  if (n.isSelf) return `${n.name} (this one) ${n.podCidrs.join(", ")}`;
  return n.tunnel === undefined
    ? `${n.name} unreachable: no InternalIP`
    : `${n.name} ${n.podCidrs.join(", ")} via ${n.tunnel}`;
}

function mapText(m: MapStatus): string | undefined {
  if (m.entries === undefined) return undefined;
  return `${m.name} ${m.entries}/${m.maxEntries} (${formatShare(m.entries, m.maxEntries)})`;
}

function packetText(s: AgentStatus): string {
  const named = (prefix: string) => s.packets.filter((x) => x.name.startsWith(prefix));
  const list = (prefix: string) =>
    named(prefix)
      .map((x) => `${x.name.slice(prefix.length)} ${x.packets}`)
      .join(", ") || "none";
  return `forwarded: ${list("forward_")}; dropped: ${list("drop_")}`;
}

function underlayText(s: AgentStatus): string {
  const u = s.underlay;
  if (u === undefined) return "not known yet";
  const devices = u.devices.map((d) => `${d.name} (MTU ${d.mtuBytes})`).join(", ") || "no device";
  const sources = [u.masqueradeV4, u.masqueradeV6].filter((a) => a !== undefined).join(", ") || "nothing";
  return `${devices}; IPv${u.family} tunnels; pods' MTU ${u.podMtuBytes}; masquerade to ${sources}`;
}

/** One line for each of several values, the name only once. */
function lines(name: string, values: readonly string[]): string[][] {
  return values.map((value, i) => [i === 0 ? name : "", value]);
}

/** The screen. */
export function formatStatus(s: AgentStatus, p: Palette, nowMs: number): string {
  const verdict = s.isReady ? p.good("ready") : p.bad("not ready");
  const { reconcile: r, cluster } = s;
  const done = r.tables.reduce((n, t) => n + t.done, 0);
  const nodes = s.nodes.slice(0, MAX_NODES).map(nodeText);
  if (s.nodes.length > MAX_NODES) nodes.push(`… and ${s.nodes.length - MAX_NODES} more: twill node list`);
  const states = Object.entries(s.endpoints.byState).map(([state, n]) => `${n} ${state}`);
  const live = cluster.isLive ? "live" : `not live for ${formatAge(cluster.lagMs)}`;
  const rows = [
    ...lines("Agent", [
      `twill ${s.version}, pid ${s.pid}, up ${formatAge(nowMs - s.startedAtMs)}, programs ${s.programs?.slice(0, 12) ?? "not loaded"}`,
    ]),
    ...lines("Cluster", [
      `${cluster.source}: ${cluster.isSynced ? "synced" : "not synced"}, ${live}`,
      ...(cluster.absent.length === 0 ? [] : [`does not serve ${cluster.absent.join(", ")}`]),
    ]),
    ...lines("Underlay", [underlayText(s)]),
    ...lines("IPAM", s.pools.length === 0 ? ["no pool yet"] : s.pools.map(poolText)),
    ...lines("Nodes", nodes.length === 0 ? ["none known"] : nodes),
    ...lines("Policy", policyText(s.policy)),
    ...lines("Services", [
      servicesText(s.services),
      ...socketText(s),
      ...announceText(s.services),
      ...kubeProxyText(s.services),
    ]),
    ...lines("Endpoints", [s.endpoints.total === 0 ? "none" : states.join(", ")]),
    ...lines(
      "Maps",
      chunk(
        s.maps.map(mapText).filter((t) => t !== undefined),
        4,
      ),
    ),
    ...lines("Packets", [packetText(s)]),
    ...lines("Events", [eventsText(s)]),
    ...lines("Kernel", [
      `${done} rows right, ${r.failing} failing, ${r.drifted} put back; last look ${r.lastRunMs === undefined ? "never" : `${formatAge(nowMs - r.lastRunMs)} ago`}`,
    ]),
  ];
  const table = formatTable([p.bold(s.node), verdict], rows);
  const wrong = troubles(s, p);
  const [head = "", ...rest] = table.split("\n");
  return `${head}\n${wrong}${rest.join("\n")}`;
}

function chunk(texts: readonly string[], size: number): string[] {
  const out: string[] = [];
  for (let i = 0; i < texts.length; i += size) out.push(texts.slice(i, i + size).join(", "));
  return out.length === 0 ? ["not loaded"] : out;
}

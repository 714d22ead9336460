/** Entries of maps as named fields, decoded by the generated codecs. */

import { hex } from "../net/bytes-key.ts";
import {
  BPF_MAPS,
  CONFIG_FLAG_NAMES,
  CT_FLAG_NAMES,
  decodeConfig,
  decodeCtEntry,
  decodeCtKey,
  decodeEndpoint,
  decodeEndpointKey,
  decodeFragEntry,
  decodeFragKey,
  decodeGeneration,
  decodeHostEntry,
  decodeHostKey,
  decodeIdentityEntry,
  decodeIdentityKey,
  decodeIpcacheEntry,
  decodeIpcacheKey,
  decodeNatEntry,
  decodeNatKey,
  decodeNode,
  decodeNodeKey,
  decodePolicyClass,
  decodePolicyClassKey,
  decodePolicyHitKey,
  decodePolicyPeer,
  decodePolicyPeerKey,
  decodePolicySetKey,
  decodePolicyVerdict,
  decodeScratch,
  decodeShaper,
  decodeShaperKey,
  ENDPOINT_FLAG_NAMES,
  GENERATION_OF_NAMES,
  IPCACHE_FLAG_NAMES,
  METRIC_NAMES,
  NAT_DIRECTION_NAMES,
  POLICY_FLAG_NAMES,
} from "../net/gen/bpf-maps.ts";
import { macFromBytes } from "../net/mac.ts";
import { metricSum } from "../net/per-cpu.ts";
import { addrText, flagText, lpmText } from "../plan/describe.ts";
import type { MapRow } from "../plan/rows.ts";
import { SERVICE_DECODERS } from "./decode-service-map.ts";
import { type DecodedRow, type Decoder, protocolText, socketText } from "./decode-text.ts";

/** Flags that a TCP side has shown, as `SA` for SYN and ACK. */
function seenText(seen: number): string {
  const letters = [
    [2, "S"],
    [16, "A"],
    [1, "F"],
    [4, "R"],
  ] as const;
  return letters.map(([bit, letter]) => ((seen & bit) === 0 ? "" : letter)).join("") || "-";
}

function u32(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
}

function decodeMetric({ key, value }: MapRow): DecodedRow {
  const index = u32(key);
  return { what: METRIC_NAMES.get(index) ?? `${index}`, ...metricSum(value) };
}

function decodeSet({ key, value }: MapRow): DecodedRow {
  const k = decodePolicySetKey(key);
  const v = decodePolicyVerdict(value);
  const portBits = Math.max(0, k.prefixBits - 48);
  return {
    set: k.set,
    protocol: k.prefixBits > 32 ? protocolText(k.protocol) : "any",
    port: portBits === 0 ? "any" : `${k.port}/${portBits}`,
    flags: flagText(v.flags, POLICY_FLAG_NAMES),
    rule: v.rule,
    "log rule": v.logRule,
    "staged rule": v.stagedRule,
  };
}

function decodeCt({ key, value }: MapRow): DecodedRow {
  const k = decodeCtKey(key);
  const v = decodeCtEntry(value);
  return {
    protocol: protocolText(k.protocol),
    low: socketText(k.low, k.lowPort),
    high: socketText(k.high, k.highPort),
    origin: v.originIdentity,
    reply: v.replyIdentity,
    "origin seen": seenText(v.originSeen),
    "reply seen": seenText(v.replySeen),
    flags: flagText(v.flags, CT_FLAG_NAMES),
    tunnel: addrText(v.tunnel),
    "egress rule": v.egressRule,
    "ingress rule": v.ingressRule,
    judged: v.judged,
    "last seen": v.lastSeen,
    revision: v.revision,
  };
}

function decodeNat({ key, value }: MapRow): DecodedRow {
  const k = decodeNatKey(key);
  const v = decodeNatEntry(value);
  return {
    direction: NAT_DIRECTION_NAMES.get(k.direction) ?? k.direction,
    protocol: protocolText(k.protocol),
    from: socketText(k.src, k.srcPort),
    to: socketText(k.dst, k.dstPort),
    becomes: socketText(v.addr, v.port),
    created: v.created,
  };
}

function decodeConfigRow({ value }: MapRow): DecodedRow {
  const { node4, node6, router4, router6, flags, ...rest } = decodeConfig(value);
  return {
    node4: addrText(node4),
    node6: addrText(node6),
    router4: addrText(router4),
    router6: addrText(router6),
    flags: flagText(flags, CONFIG_FLAG_NAMES),
    ...rest,
  };
}

/** How many denied packets were answered in the last tick in which any were. */
function decodeAnswers({ value }: MapRow): DecodedRow {
  const perCpu = Array.from({ length: value.length / BPF_MAPS.scratch.valueBytes }, (_, cpu) =>
    decodeScratch(value.subarray(cpu * BPF_MAPS.scratch.valueBytes, (cpu + 1) * BPF_MAPS.scratch.valueBytes)),
  );
  const tick = Math.max(...perCpu.map((s) => s.tick));
  return { tick, answers: perCpu.reduce((sum, s) => sum + (s.tick === tick ? s.answers : 0), 0) };
}

const DECODERS: Readonly<Record<string, Decoder>> = {
  ...SERVICE_DECODERS,
  config: decodeConfigRow,
  generation: ({ key, value }) => ({
    of: GENERATION_OF_NAMES.get(u32(key)) ?? u32(key),
    value: decodeGeneration(value).value,
  }),
  shapers({ key, value }) {
    const v = decodeShaper(value);
    return { ifindex: decodeShaperKey(key).ifindex, to: v.ifindex, side: v.isPod === 0 ? "node" : "pod" };
  },
  hosts({ key, value }) {
    const v = decodeHostEntry(value);
    return { ifindex: decodeHostKey(key).ifindex, ingress: v.ingressClass, egress: v.egressClass };
  },
  identities({ key, value }) {
    const k = decodeIdentityKey(key);
    return { bank: k.bank, prefix: lpmText(k.prefixBits - 32, k.addr), identity: decodeIdentityEntry(value).identity };
  },
  policy_classes({ key, value }) {
    const v = decodePolicyClass(value);
    return { class: decodePolicyClassKey(key).number, "IPv4 set": v.set4, "IPv6 set": v.set6, bank: v.bank };
  },
  policy_peers({ key, value }) {
    const k = decodePolicyPeerKey(key);
    return { class: k.number, identity: k.identity, set: decodePolicyPeer(value).set };
  },
  policy_sets: decodeSet,
  policy_hits: ({ key, value }) => ({ rule: decodePolicyHitKey(key).rule, ...metricSum(value) }),
  ct_tcp: decodeCt,
  ct_other: decodeCt,
  nat: decodeNat,
  scratch: decodeAnswers,
  metrics: decodeMetric,
  endpoints({ key, value }) {
    const v = decodeEndpoint(value);
    return {
      address: addrText(decodeEndpointKey(key).addr),
      ifindex: v.ifindex,
      mac: macFromBytes(v.mac),
      "host mac": macFromBytes(v.hostMac),
      ingress: v.ingressClass,
      egress: v.egressClass,
      flags: flagText(v.flags, ENDPOINT_FLAG_NAMES),
    };
  },
  ipcache({ key, value }) {
    const k = decodeIpcacheKey(key);
    const v = decodeIpcacheEntry(value);
    return {
      prefix: lpmText(k.prefixBits, k.addr),
      flags: flagText(v.flags, IPCACHE_FLAG_NAMES),
      tunnel: addrText(v.tunnel),
      node: v.nodeId,
    };
  },
  nodes({ key, value }) {
    const v = decodeNode(value);
    return { address: addrText(decodeNodeKey(key).tunnel), node: v.nodeId, flags: v.flags };
  },
  frags({ key, value }) {
    const k = decodeFragKey(key);
    const v = decodeFragEntry(value);
    return {
      from: socketText(k.src, v.srcPort),
      to: socketText(k.dst, v.dstPort),
      protocol: protocolText(k.protocol),
      id: k.id,
      created: v.created,
    };
  },
};

/** Decodes an entry; a map that this build does not know is shown as bytes. */
export function decodeRow(map: string, row: MapRow): DecodedRow {
  return DECODERS[map]?.(row) ?? { key: hex(row.key), value: hex(row.value) };
}

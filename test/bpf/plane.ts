/**
 * The data plane under test: bpf/gen/twill-test.o loaded with maps of its own, run by BPF_PROG_TEST_RUN. The object differs
 * from the product's only in that it writes where a packet goes into its control block (bpf/lib/effects.h).
 */

import { readFileSync } from "node:fs";
import { type Addon, loadAddon, type MapHandle, type RingHandle } from "../../src/kernel/linux/addon.ts";
import { addr, addrFromBytes } from "../../src/net/addr.ts";
import {
  type Config,
  ConfigFlag,
  type CtEntry,
  type CtKey,
  type Event as DropEvent,
  decodeCtEntry,
  decodeCtKey,
  decodeEvent,
  decodeNatEntry,
  decodeNatKey,
  decodePolicyHitKey,
  decodePolicySetKey,
  decodeServiceFlow,
  decodeServiceFlowKey,
  type Endpoint,
  EVENT_BYTES,
  encodeConfig,
  encodeEndpoint,
  encodeEndpointKey,
  encodeGeneration,
  encodeHostEntry,
  encodeHostKey,
  encodeIpcacheEntry,
  encodeIpcacheKey,
  encodeNode,
  encodeNodeKey,
  encodeShaper,
  encodeShaperKey,
  GenerationOf,
  IpcacheFlag,
  METRIC_NAMES,
  METRIC_VALUE_BYTES,
  type NatEntry,
  type NatKey,
  type ServiceFlow,
  type ServiceFlowKey,
} from "../../src/net/gen/bpf-maps.ts";
import { mac, macBytes } from "../../src/net/mac.ts";
import { metricSum } from "../../src/net/per-cpu.ts";
import { mappedLength, prefix } from "../../src/net/prefix.ts";
import { classMapKey, classMapRow, identityMapRow, POLICY_MAPS, setMapRows } from "../../src/plan/policy-rows.ts";
import type { MapRow } from "../../src/plan/rows.ts";
import { NODE } from "./node.ts";
import { decodeRun, encodeContext, type Program, type Ran, type RunOptions } from "./test-run.ts";

const OBJECT = new URL("../../bpf/gen/twill-test.o", import.meta.url);
/** The class of every pod, until a test says otherwise. */
export const OPEN_CLASS = 1;
/** The bank of all identities. */
export const BANK = 9;

const MASQUERADE = ConfigFlag.masquerade4 | ConfigFlag.masquerade6;

/** Whether packet tests can run here; otherwise why not. */
export function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "BPF_PROG_TEST_RUN needs root";
  try {
    loadAddon();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return false;
}

/** One loaded object; call {@link Plane.close}. */
export class Plane {
  readonly #addon: Addon = loadAddon();
  readonly #object;
  readonly #programs: ReadonlyMap<string, number>;
  readonly #maps = new Map<string, MapHandle>();
  readonly #ring: RingHandle;
  /** As last announced. */
  policyGeneration = 0;
  #generation = 0;

  /** @param maxEntries sizes by map, instead of the object's */
  constructor(maxEntries: Readonly<Record<string, number>> = {}) {
    this.#object = this.#addon.objectOpen(readFileSync(OBJECT), "twill_test");
    for (const [map, entries] of Object.entries(maxEntries)) this.#addon.objectResize(this.#object, map, entries);
    this.#addon.objectLoad(this.#object);
    this.#programs = new Map(this.#addon.objectPrograms(this.#object).map((p) => [p.name, p.fd]));
    for (const m of this.#addon.objectMaps(this.#object)) {
      if (!m.isInternal && m.name !== "events") this.#maps.set(m.name, this.#addon.mapAdopt(this.#addon.dupFd(m.fd)));
    }
    const events = this.#addon.objectMaps(this.#object).find((m) => m.name === "events");
    this.#ring = this.#addon.ringOpen(this.#addon.dupFd(events?.fd ?? -1));
  }

  close(): void {
    this.#addon.ringClose(this.#ring);
    for (const map of this.#maps.values()) this.#addon.mapClose(map);
    this.#addon.objectClose(this.#object);
  }

  #map(name: string): MapHandle {
    const map = this.#maps.get(name);
    if (map === undefined) throw new Error(`The object has no map "${name}"`);
    return map;
  }

  /** Descriptor of a program, to attach it. */
  program(name: Program): number {
    const fd = this.#programs.get(name);
    if (fd === undefined) throw new Error(`The object has no program "${name}"`);
    return fd;
  }

  put(map: string, key: Uint8Array, value: Uint8Array): void {
    this.#addon.mapPut(this.#map(map), key, value);
  }

  remove(map: string, key: Uint8Array): void {
    this.#addon.mapDelete(this.#map(map), key);
  }

  #rows(map: string): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    const handle = this.#map(map);
    const rows = [];
    for (let key = this.#addon.mapNextKey(handle); key !== undefined; key = this.#addon.mapNextKey(handle, key)) {
      const value = this.#addon.mapGet(handle, key);
      if (value !== undefined) rows.push({ key, value });
    }
    return rows;
  }

  flows(map: "ct_tcp" | "ct_other" = "ct_tcp"): { readonly key: CtKey; readonly entry: CtEntry }[] {
    return this.#rows(map).map((r) => ({ key: decodeCtKey(r.key), entry: decodeCtEntry(r.value) }));
  }

  translations(): { readonly key: NatKey; readonly entry: NatEntry }[] {
    return this.#rows("nat").map((r) => ({ key: decodeNatKey(r.key), entry: decodeNatEntry(r.value) }));
  }

  /** Packets that services translate, as they come and as they go on. */
  serviceFlows(): { readonly key: ServiceFlowKey; readonly entry: ServiceFlow }[] {
    return this.#rows("service_flows").map((r) => ({
      key: decodeServiceFlowKey(r.key),
      entry: decodeServiceFlow(r.value),
    }));
  }

  /** Forgets flows, translations and fragments; nodes, pods, services and configuration stay. */
  forgetFlows(): void {
    this.forget("ct_tcp", "ct_other", "nat", "frags", "service_flows", "service_affinity");
  }

  forget(...maps: readonly string[]): void {
    for (const map of maps) this.#empty(map);
  }

  /** Lets denied packets be answered as if none had been in this tick. */
  forgetAnswers(): void {
    const [row] = this.#rows("scratch");
    if (row !== undefined) this.put("scratch", row.key, new Uint8Array(row.value.length));
  }

  #empty(map: string): void {
    for (const row of this.#rows(map)) this.remove(map, row.key);
  }

  putConfig(change: Partial<Config> = {}): void {
    const config: Config = {
      node4: addr(NODE.node.v4).bytes,
      node6: addr(NODE.node.v6).bytes,
      router4: addr(NODE.router.v4).bytes,
      router6: addr(NODE.router.v6).bytes,
      revision: 1,
      flags: MASQUERADE | ConfigFlag.noShortcut,
      twill0Ifindex: NODE.twill0,
      twill1Ifindex: NODE.twill1,
      tunnelIfindex: NODE.tunnel,
      tunnelVni: NODE.vni,
      tunnelMtu: NODE.tunnelMtu,
      tunnelPort: 8472,
      natPortMin: NODE.natPorts.first,
      natPortMax: NODE.natPorts.last,
      ...change,
    };
    this.put("config", new Uint8Array(4), encodeConfig(config));
  }

  /** Lets the tunnel's packets go past its device, as in the product's configuration. */
  allowShortcut(): void {
    this.putConfig({ flags: MASQUERADE });
  }

  /** What every writer of endpoints does after it. */
  announceEndpoints(): void {
    this.put("generation", new Uint8Array(4), encodeGeneration({ value: ++this.#generation }));
  }

  putEndpoint(
    address: string,
    e: { readonly ifindex: number; readonly mac: string; readonly flags: number },
    classes: Pick<Endpoint, "ingressClass" | "egressClass"> = { ingressClass: OPEN_CLASS, egressClass: OPEN_CLASS },
  ): void {
    const value: Endpoint = {
      ifindex: e.ifindex,
      flags: e.flags,
      ...classes,
      mac: macBytes(mac(e.mac)),
      hostMac: macBytes(mac("ee:ee:ee:ee:ee:ee")),
    };
    this.put("endpoints", encodeEndpointKey({ addr: addr(address).bytes }), encodeEndpoint(value));
  }

  /** What policy says of the node itself; 0: by devices without an entry of their own, and where no device is asked. */
  putHost(ifindex: number, classes: { readonly ingressClass: number; readonly egressClass: number }): void {
    this.put("hosts", encodeHostKey({ ifindex }), encodeHostEntry(classes));
  }

  putIpcache(cidr: string, flags: number, nodeId: number, tunnel?: string): void {
    const p = prefix(cidr);
    const key = encodeIpcacheKey({ prefixBits: mappedLength(p), addr: p.addr.bytes });
    const tunnelBytes = tunnel === undefined ? new Uint8Array(16) : addr(tunnel).bytes;
    this.put("ipcache", key, encodeIpcacheEntry({ flags, tunnel: tunnelBytes, nodeId }));
  }

  /** Joins two devices; `isPod`: the second is a pod's. */
  putShaper(ifindex: number, to: number, isPod: boolean): void {
    this.put("shapers", encodeShaperKey({ ifindex }), encodeShaper({ ifindex: to, isPod: Number(isPod) }));
  }

  /** Empties all tables. */
  clear(): void {
    this.forgetFlows();
    this.forget("endpoints", "shapers", "hosts", "ipcache", "nodes", "policy_hits", ...Object.values(POLICY_MAPS));
    this.forget("services", "service_slots", "backends", "service_sources", "host_ports");
    this.lookForHostPorts(false);
  }

  /** Whether programs look for host ports: what every writer of them says after it. */
  lookForHostPorts(doLook: boolean): void {
    const key = new Uint8Array(new Uint32Array([GenerationOf.hostPorts]).buffer);
    this.put("generation", key, encodeGeneration({ value: Number(doLook) }));
  }

  /** Fills all tables with {@link NODE}, and nothing else. */
  setUp(): void {
    this.clear();
    this.putConfig();
    for (const pod of [NODE.podA, NODE.podB, NODE.podC]) for (const a of [pod.v4, pod.v6]) this.putEndpoint(a, pod);
    const { noMasquerade, localNode, remoteNode, podCidr } = IpcacheFlag;
    for (const [n, tunnel] of [[1], [2, NODE.remoteNode.v4], [3, NODE.farNode]] as const) {
      this.putIpcache(`10.244.${n}.0/24`, noMasquerade | podCidr, n, tunnel);
      this.putIpcache(`fd00:10:244:${n}::/64`, noMasquerade | podCidr, n, tunnel);
    }
    for (const a of [NODE.router.v4, NODE.node.v4]) this.putIpcache(`${a}/32`, noMasquerade | localNode, 1);
    for (const a of [NODE.router.v6, NODE.node.v6]) this.putIpcache(`${a}/128`, noMasquerade | localNode, 1);
    this.putIpcache(`${NODE.remoteNode.v4}/32`, noMasquerade | remoteNode, 2, NODE.remoteNode.v4);
    this.putIpcache(`${NODE.remoteNode.v6}/128`, noMasquerade | remoteNode, 2, NODE.remoteNode.v4);
    this.putNodes();
    this.#openAll();
  }

  /** Nodes 2 and 3. */
  putNodes(): void {
    for (const [id, tunnel] of [
      [2, NODE.remoteNode.v4],
      [3, NODE.farNode],
    ] as const)
      this.put("nodes", encodeNodeKey({ tunnel: addr(tunnel).bytes }), encodeNode({ nodeId: id, flags: 0 }));
  }

  /** No policy: one class whose only set allows everything. */
  #openAll(): void {
    const allowed = { isAllowed: true, rule: 0, logRule: 0, staged: undefined };
    const everywhere = ["0.0.0.0/0", "::/0"].map((p) => identityMapRow(BANK, { prefix: prefix(p), identity: 256 }));
    this.putRows(POLICY_MAPS.sets, setMapRows(1, [{ prefixLength: 32, protocol: 0, port: 0, verdict: allowed }]));
    this.putRows(POLICY_MAPS.classes, [classMapRow(BANK, OPEN_CLASS, { set4: 1, set6: 1 })]);
    this.putRows(POLICY_MAPS.identities, everywhere);
    this.announcePolicy();
  }

  hasClass(number: number): boolean {
    return this.#addon.mapGet(this.#map(POLICY_MAPS.classes), classMapKey(number)) !== undefined;
  }

  /** Removes the rows of sets, from the first to the last. */
  dropSets(first: number, last: number): void {
    for (const { key } of this.#rows(POLICY_MAPS.sets)) {
      const { set } = decodePolicySetKey(key);
      if (set >= first && set <= last) this.remove(POLICY_MAPS.sets, key);
    }
  }

  putRows(map: string, rows: readonly MapRow[]): void {
    for (const { key, value } of rows) this.put(map, key, value);
  }

  /** What every writer of policy does after it. */
  announcePolicy(): void {
    const key = new Uint8Array(new Uint32Array([GenerationOf.policy]).buffer);
    this.policyGeneration = ++this.#generation;
    this.put("generation", key, encodeGeneration({ value: this.policyGeneration }));
  }

  /** How often each rule decided, over all CPUs. */
  hits(): Map<number, number> {
    const rows = this.#rows("policy_hits");
    return new Map(rows.map((r) => [decodePolicyHitKey(r.key).rule, metricSum(r.value).packets]));
  }

  /** Packets counted so far, by metric number. */
  counters(): ReadonlyMap<number, bigint> {
    const { keys, values, count } = this.#addon.mapGetBatch(this.#map("metrics"), undefined, 4 * METRIC_NAMES.size);
    const stride = values.length / count;
    const out = new Map<number, bigint>();
    for (let i = 0; i < count; i++) {
      let packets = 0n;
      for (let at = i * stride; at < (i + 1) * stride; at += METRIC_VALUE_BYTES) packets += values.readBigUInt64LE(at);
      out.set(keys.readUInt32LE(4 * i), packets);
    }
    return out;
  }

  /** Runs without looking at counters: verdict and frame only. */
  runQuick(program: Program, data: Uint8Array, o: RunOptions = {}): Omit<Ran, "metrics"> {
    return decodeRun(program, this.#addon.testRun(undefined, this.program(program), data, encodeContext(o), 1));
  }

  run(program: Program, data: Uint8Array, o: RunOptions = {}): Ran {
    const before = this.counters();
    const ran = this.runQuick(program, data, o);
    const metrics: string[] = [];
    for (const [number, packets] of this.counters())
      if (packets !== before.get(number)) metrics.push(METRIC_NAMES.get(number) ?? String(number));
    return { ...ran, metrics };
  }

  /** Events since the last call. */
  events(): DropEvent[] {
    const bytes = this.#addon.ringDrain(this.#ring, 1 << 20);
    const out = [];
    for (let at = 0; at + 8 + EVENT_BYTES <= bytes.length; at += 8 + EVENT_BYTES)
      out.push(decodeEvent(bytes.subarray(at + 8, at + 8 + EVENT_BYTES)));
    return out;
  }
}

/** Text of an address as maps and events hold it. */
export function text(bytes: Uint8Array): string {
  return addrFromBytes(bytes).text;
}

/**
 * The programs of sock.c on a control group of the test's own, asked by real sockets: whoever makes a socket is in the group
 * for that moment. All ends are in one network namespace, backends' addresses on its loopback.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Addon, loadAddon, type MapHandle } from "../../src/kernel/linux/addon.ts";
import { cgroup2Root, controlGroupAt } from "../../src/kernel/linux/control-group.ts";
import { makeNetns, removeNetns, whyNoKernel } from "../../src/kernel/linux/test-bench.ts";
import { makeTestGroup, removeTestGroup } from "../../src/kernel/linux/test-groups.ts";
import { SOCKET } from "../../src/lab/probe/socket.ts";
import { mustRun } from "../../src/lab/run.ts";
import { addr } from "../../src/net/addr.ts";
import {
  encodeBackend,
  encodeBackendKey,
  encodeGeneration,
  encodeIpcacheEntry,
  encodeIpcacheKey,
  encodeService,
  encodeServiceKey,
  encodeServiceSlot,
  encodeServiceSlotKey,
  GenerationOf,
  IpcacheFlag,
  type SockMetric,
} from "../../src/net/gen/bpf-maps.ts";
import { SOCKET_HOOKS } from "../../src/plan/rows.ts";
import { awaitLocalRoutes } from "../fixture/local-routes.ts";

const OBJECT = new URL("../../bpf/gen/twill-test.o", import.meta.url);
const ATTACH_TYPES = [10, 11, 14, 15, 19, 20, 29, 30];
export const PROTOCOL = { TCP: 6, UDP: 17 } as const;
export type Protocol = keyof typeof PROTOCOL;

/** The service that tests ask for. */
export const CLUSTER_IP = { 4: "10.96.0.10", 6: "fd00:96::10" } as const;

/** By protocol: the service's port, and its backends'. */
export const PORT = { TCP: [80, 8080], UDP: [53, 5353] } as const;

/** Addresses that are there; backends answer at the first two of each family. */
export const HERE = {
  4: ["10.244.1.10", "10.244.1.11", "192.168.77.11"],
  6: ["fd00:10:244:1::10", "fd00:10:244:1::11", "fd00:77::11"],
} as const;

/** A service as a test says it. */
export interface TestService {
  readonly flags?: number;
  readonly affinitySeconds?: number;
  /** Slots of its set. */
  readonly backends: readonly number[];
}

/** Why this cannot run here; false when it can. */
export function whyNoSockets(): string | false {
  return whyNoKernel() || (cgroup2Root() === undefined && "needs a cgroup2 file system");
}

/** Programs, maps, group and namespace. */
export class SockBench implements Disposable {
  readonly addon: Addon = loadAddon();
  readonly netns = makeNetns();
  readonly #group: string;
  readonly #home: string;
  readonly #maps = new Map<string, MapHandle>();
  readonly #fds: number[] = [];
  #number = 1;

  private constructor(group: string) {
    this.#group = group;
    const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "latin1"))?.[1] ?? "/";
    this.#home = join(cgroup2Root() ?? "", own);
  }

  static async open(): Promise<SockBench> {
    const group = makeTestGroup();
    if (group === undefined || !controlGroupAt(group).ok) throw new Error("No control group can be made here");
    const bench = new SockBench(group);
    bench.#load();
    const addresses = [
      ...HERE[4].map((a) => `addr add ${a}/32 dev lo`),
      ...HERE[6].map((a) => `addr add ${a}/128 dev lo nodad`),
    ];
    const input = ["link set lo up", ...addresses, ""].join("\n");
    const enter = ["nsenter", `--net=${bench.netns}`];
    await mustRun([...enter, "ip", "-batch", "-"], { input });
    awaitLocalRoutes(HERE[6], enter);
    return bench;
  }

  #load(): void {
    const object = this.addon.objectOpen(readFileSync(OBJECT), "twill");
    const isNeeded = (name: string) => /^(service|backend|sock_|ipcache|host_ports|generation)/.test(name);
    // What these programs do not use takes no memory.
    for (const { name, maxEntries, isInternal, type } of this.addon.objectMaps(object))
      if (!isInternal && type !== 2 && type !== 6 && type !== 27 && maxEntries > 4096)
        this.addon.objectResize(object, name, name === "service_slots" ? 65_536 : 4096);
    this.addon.objectLoad(object);
    for (const { name, fd } of this.addon.objectMaps(object))
      if (isNeeded(name)) this.#maps.set(name, this.addon.mapAdopt(this.addon.dupFd(fd)));
    for (const [i, hook] of SOCKET_HOOKS.entries()) {
      const program = this.addon.objectPrograms(object).find((p) => p.name === `sock_${hook}`);
      if (program === undefined) throw new Error(`The object has no program for ${hook}`);
      this.#fds.push(this.addon.cgroupCreate(this.#group, program.fd, ATTACH_TYPES[i] ?? 0));
    }
    this.addon.objectClose(object);
  }

  map(name: string): MapHandle {
    const map = this.#maps.get(name);
    if (map === undefined) throw new Error(`The bench has no map "${name}"`);
    return map;
  }

  put(map: string, key: Uint8Array, value: Uint8Array): void {
    this.addon.mapPut(this.map(map), key, value);
  }

  remove(map: string, key: Uint8Array): void {
    this.addon.mapDelete(this.map(map), key);
  }

  /** Empties maps. */
  forget(...maps: readonly string[]): void {
    for (const name of maps) {
      const map = this.map(name);
      for (let key = this.addon.mapNextKey(map); key !== undefined; key = this.addon.mapNextKey(map))
        this.addon.mapDelete(map, key);
    }
  }

  /** What the programs counted until now. */
  counted(metric: SockMetric): number {
    const value = this.addon.mapGet(this.map("sock_metrics"), new Uint8Array(Uint32Array.of(metric).buffer));
    if (value === undefined) throw new Error("sock_metrics is an array: every index is there");
    return Number(new BigUint64Array(value.buffer, value.byteOffset, value.byteLength / 8).reduce((a, b) => a + b));
  }

  /** Closes sockets, and removes the service that tests ask for. */
  clear(): void {
    this.closeSockets();
    for (const family of [4, 6] as const)
      for (const protocol of ["TCP", "UDP"] as const)
        this.removeService(CLUSTER_IP[family], PORT[protocol][0], protocol);
  }

  /** Makes a backend. @returns its number */
  backend(address: string, port: number, protocol: Protocol = "TCP"): number {
    const number = this.#number++;
    const value = encodeBackend({ addr: addr(address).bytes, port, protocol: PROTOCOL[protocol] });
    this.addon.mapPut(this.map("backends"), encodeBackendKey({ number }), value);
    return number;
  }

  removeBackend(number: number): void {
    this.addon.mapDelete(this.map("backends"), encodeBackendKey({ number }));
  }

  /** Makes or replaces a service, its number kept if given. @returns its number */
  service(address: string, port: number, protocol: Protocol, s: TestService, number = this.#number++): number {
    const insideSet = this.#number++;
    for (const [index, backend] of s.backends.entries())
      this.addon.mapPut(
        this.map("service_slots"),
        encodeServiceSlotKey({ set: insideSet, index }),
        encodeServiceSlot({ backend }),
      );
    const value = encodeService({
      number,
      flags: s.flags ?? 0,
      insideSet,
      insideCount: s.backends.length,
      outsideSet: 0,
      outsideCount: 0,
      affinitySeconds: s.affinitySeconds ?? 0,
    });
    this.addon.mapPut(this.map("services"), this.#key(address, port, protocol), value);
    return number;
  }

  removeService(address: string, port: number, protocol: Protocol): void {
    this.addon.mapDelete(this.map("services"), this.#key(address, port, protocol));
  }

  /** Gives a port of the node to whoever listens somewhere, as whoever attaches pods does. */
  hostPort(at: string, port: number, protocol: Protocol, pod: string, podPort: number): void {
    const value = encodeBackend({ addr: addr(pod).bytes, port: podPort, protocol: PROTOCOL[protocol] });
    this.addon.mapPut(this.map("host_ports"), this.#key(at, port, protocol), value);
    this.lookForHostPorts(true);
  }

  removeHostPort(at: string, port: number, protocol: Protocol): void {
    this.addon.mapDelete(this.map("host_ports"), this.#key(at, port, protocol));
    this.lookForHostPorts(false);
  }

  /** Whether programs look for host ports: what every writer of them says after it. */
  lookForHostPorts(doLook: boolean): void {
    const key = new Uint8Array(new Uint32Array([GenerationOf.hostPorts]).buffer);
    this.addon.mapPut(this.map("generation"), key, encodeGeneration({ value: Number(doLook) }));
  }

  #key(address: string, port: number, protocol: Protocol): Uint8Array {
    return encodeServiceKey({ addr: addr(address).bytes, port, protocol: PROTOCOL[protocol] });
  }

  /** Takes an address for one of a node's. */
  node(address: string, flag: number = IpcacheFlag.localNode): void {
    const key = encodeIpcacheKey({ prefixBits: 128, addr: addr(address).bytes });
    const value = encodeIpcacheEntry({ flags: flag, nodeId: 0, tunnel: new Uint8Array(16) });
    this.addon.mapPut(this.map("ipcache"), key, value);
  }

  /** A socket that a member of the group has made, or somebody else. Closed with the bench. */
  socket(protocol: Protocol, family: 4 | 6, isMember = true, netns = this.netns): number {
    const make = () =>
      this.addon.socket(
        netns,
        family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6,
        protocol === "TCP" ? SOCKET.STREAM : SOCKET.DGRAM,
        0,
      );
    const fd = isMember ? this.#asMember(make) : make();
    this.#fds.push(fd);
    return fd;
  }

  /** Sockets that a member of the group has made: to become one takes the kernel milliseconds. */
  sockets(count: number, protocol: Protocol, family: 4 | 6): number[] {
    return this.#asMember(() => Array.from({ length: count }, () => this.socket(protocol, family, false)));
  }

  /** Backends at the first two addresses of a family, and servers there. */
  twoBackends(family: 4 | 6, protocol: Protocol) {
    const [, port] = PORT[protocol];
    const addresses = HERE[family].slice(0, 2);
    return {
      numbers: addresses.map((a) => this.backend(a, port, protocol)),
      servers: addresses.map((a) => this.server(protocol, a, port)),
    };
  }

  /** A socket that listens or receives, made by somebody else. */
  server(protocol: Protocol, address: string, port: number): number {
    const fd = this.socket(protocol, address.includes(":") ? 6 : 4, false);
    this.addon.setOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_REUSEADDR, 1);
    this.addon.bind(fd, address, port);
    if (protocol === "TCP") this.addon.listen(fd, 128);
    return fd;
  }

  #asMember<T>(run: () => T): T {
    writeFileSync(join(this.#group, "cgroup.procs"), String(process.pid));
    try {
      return run();
    } finally {
      writeFileSync(join(this.#home, "cgroup.procs"), String(process.pid));
    }
  }

  /** Closes all sockets but the programs' links. */
  closeSockets(): void {
    for (const fd of this.#fds.splice(SOCKET_HOOKS.length)) this.addon.close(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds.splice(0)) this.addon.close(fd);
    for (const map of this.#maps.values()) this.addon.mapClose(map);
    removeNetns(this.netns);
    removeTestGroup(this.#group);
  }
}

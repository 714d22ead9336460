/** What the fake knows of Twill's object: it cannot read ELF, and takes any bytes for a version of it. */

import { BPF_MAPS, type BpfMapName } from "../../net/gen/bpf-maps.ts";
import { SOCKET_HOOKS } from "../../plan/rows.ts";
import type { FakeMapSpec } from "./map.ts";

/** A loaded program. */
export interface FakeProgram {
  readonly name: string;
  readonly id: number;
}

/** Programs and maps of an object. */
export interface FakeObject {
  readonly programs: readonly string[];
  readonly maps: ReadonlyMap<string, FakeMapSpec>;
}

/** Possible CPUs of the pretended machine: a per-CPU value has one part for each. */
const CPUS = 2;

/** What the codecs do not say of a map: its type and size. */
const KINDS: Readonly<Record<string, readonly [FakeMapSpec["type"], number]>> = {
  config: ["array", 1],
  generation: ["array", 3],
  endpoints: ["hash", 4096],
  hosts: ["hash", 256],
  shapers: ["hash", 8192],
  ipcache: ["lpm_trie", 131072],
  identities: ["lpm_trie", 524288],
  policy_classes: ["hash", 32768],
  policy_peers: ["hash", 1048576],
  policy_sets: ["lpm_trie", 524288],
  policy_hits: ["percpu_hash", 65536],
  services: ["hash", 65536],
  service_slots: ["hash", 1048576],
  backends: ["hash", 131072],
  host_ports: ["hash", 16384],
  service_sources: ["lpm_trie", 65536],
  service_flows: ["hash", 262144],
  service_affinity: ["lru_hash", 32768],
  sock_reverse: ["lru_hash", 65536],
  sock_choices: ["lru_hash", 16384],
  sock_metrics: ["percpu_array", 16],
  nodes: ["hash", 16384],
  ct_tcp: ["hash", 262144],
  ct_other: ["hash", 131072],
  nat: ["hash", 262144],
  frags: ["lru_hash", 8192],
  metrics: ["percpu_array", 96],
  scratch: ["percpu_array", 1],
  events: ["ringbuf", 1 << 20],
};

function specOf(name: BpfMapName): FakeMapSpec {
  const kind = KINDS[name];
  if (kind === undefined) throw new Error(`The fake does not know of which type map "${name}" is`);
  const [type, maxEntries] = kind;
  const { keyBytes, valueBytes } = BPF_MAPS[name];
  return { type, keyBytes, valueBytes: type.startsWith("percpu_") ? CPUS * valueBytes : valueBytes, maxEntries };
}

/** Twill's data plane, as bpf/gen/twill.o has it; the behaviour suite holds one against the other. */
export const TWILL_OBJECT: FakeObject = {
  programs: [
    "from_pod",
    "from_host",
    "from_tunnel",
    "from_wire",
    "to_wire",
    "shape",
    ...SOCKET_HOOKS.map((hook) => `sock_${hook}`),
  ],
  maps: new Map((Object.keys(BPF_MAPS) as BpfMapName[]).map((name) => [name, specOf(name)])),
};

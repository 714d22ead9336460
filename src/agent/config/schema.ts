/**
 * The configuration of an agent: every key, its meaning, its bounds and what it is when it is not given. The keys, the
 * descriptions and the defaults of `docs/configuration.md` are checked against this file by a test.
 */

import * as z from "zod";
import { DEFAULT_FAILSAFES } from "../../policy/failsafe.ts";
import type { Direction } from "../../policy/rule.ts";
import { isPrime } from "../../service/maglev.ts";
import { DEFAULT_COOL_DOWN_SECONDS, DEFAULT_PATHS } from "./default-paths.ts";
import {
  absolutePath,
  addressMethod,
  addrRange,
  apiServer,
  cidr,
  clusterChoice,
  failsafePort,
  failsafeText,
  listen,
  portRange,
  startupTaint,
} from "./fields.ts";

const tunnel = z.strictObject({
  mode: z.enum(["vxlan"]).default("vxlan").describe("How packets travel between nodes"),
  port: z
    .int()
    .min(1)
    .max(65535)
    .default(8472)
    .describe("UDP destination port of VXLAN: 8472 is also Flannel's and Cilium's, Calico and IANA use 4789"),
  vni: z
    .int()
    .min(1)
    .max(16777215)
    .default(1)
    .describe("VXLAN network identifier: 1 is also Flannel's, Calico uses 4096"),
  shortcut: z
    .boolean()
    .default(true)
    .describe(
      "Packets of known flows pass the tunnel's device and the node's IP stack; `false` where a firewall on the node wants to see every tunnel packet",
    ),
});

const masquerade = z.strictObject({
  enabled: z.boolean().default(true).describe("Give packets of pods to the outside the node's address"),
  excludeCIDRs: z
    .array(cidr)
    .max(256)
    .default([])
    .describe("Destinations outside of the cluster that see pods' own addresses; cluster CIDRs and nodes always do"),
  portRange: portRange
    .prefault("10240-29999")
    .describe(
      "Source ports of masqueraded packets; keep it outside of the node's own ephemeral ports and of NodePorts",
    ),
});

const nodeMaskSize = z.strictObject({
  ipv4: z.int().min(16).max(30).default(24).describe("Length of a node's IPv4 pod CIDR, where Twill gives it"),
  ipv6: z.int().min(48).max(124).default(64).describe("Length of a node's IPv6 pod CIDR, where Twill gives it"),
});

const nodeAddress = z.strictObject({
  ipv4: addressMethod(4)
    .prefault("internal-ip")
    .describe(
      "Address that other nodes reach this one by, in IPv4: `internal-ip` of the Node object, `first-found`, `interface=NAMES`, `skip-interface=NAMES`, `cidr=CIDRS` or `can-reach=ADDRESS`",
    ),
  ipv6: addressMethod(6).prefault("internal-ip").describe("The same in IPv6"),
});

const ipam = z.strictObject({
  coolDownSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(DEFAULT_COOL_DOWN_SECONDS)
    .describe("For how long a released address is not given out again while others are free"),
  reserved: z
    .array(addrRange)
    .max(256)
    .default([])
    .describe("Addresses that pods never get: addresses, CIDRs or FIRST-LAST"),
});

function mapSize(text: string) {
  return z.int().min(16).max(16777216).optional().describe(text);
}

const maps = z.strictObject({
  endpoints: mapSize("Addresses of pods on this node"),
  ipcache: mapSize("Prefixes whose place is known"),
  identities: mapSize("Addresses and prefixes that policy tells apart, twice"),
  policy_classes: mapSize("Different lists of rules, twice"),
  policy_peers: mapSize("Answers of lists of rules to peers, twice"),
  policy_sets: mapSize("Answers by protocol and port, twice"),
  policy_hits: mapSize("Rules whose decisions are counted"),
  services: mapSize("Addresses and ports that services are asked for at"),
  service_slots: mapSize("Backends of services, and places of Maglev tables"),
  backends: mapSize("Different addresses and ports of backends"),
  host_ports: mapSize("Ports of this node that lead to pods of it"),
  service_sources: mapSize("Prefixes that may ask for services which say so"),
  service_flows: mapSize("Flows to services that sockets have not translated, two entries each"),
  service_affinity: mapSize("Clients that are answered by the backend they had before"),
  sock_reverse: mapSize("Sockets that were given a backend, to tell them again what they asked for"),
  sock_choices: mapSize("Sockets without a connection and the services that they send to"),
  nodes: mapSize("Addresses of nodes"),
  ct_tcp: mapSize("Tracked TCP connections"),
  ct_other: mapSize("Tracked flows of other protocols"),
  nat: mapSize("Masqueraded flows, two entries each"),
  frags: mapSize("Datagrams whose fragments are on their way"),
  events: mapSize("Bytes of the ring of events, a power of two"),
});

function failsafePorts(direction: Direction, text: string) {
  return z
    .array(failsafePort)
    .max(128)
    .prefault(DEFAULT_FAILSAFES[direction].map(failsafeText))
    .describe(`${text}: \`PORT/PROTOCOL\`, or \`PORT/PROTOCOL@CIDR\` for who has such an address`);
}

const policy = z.strictObject({
  mode: z
    .enum(["default", "always", "never"])
    .default("default")
    .describe(
      "`default`: pods that no policy isolates are open; `always`: what no policy decides is denied, but a pod's own node reaches it; `never`: policies are read and reported, none is enforced",
    ),
  reject: z
    .boolean()
    .default(false)
    .describe(
      'Answer what policy denies, instead of silence: TCP with a reset, everything else with ICMP\'s "administratively prohibited"',
    ),
  failsafe: z
    .strictObject({
      inbound: failsafePorts("ingress", "Ports of the node itself that no policy closes"),
      outbound: failsafePorts(
        "egress",
        "Ports of others that no policy closes to the node itself; the API's own is always one",
      ),
    })
    .prefault({}),
  writeStatus: z
    .boolean()
    .default(true)
    .describe(
      "Write onto policies whether they are accepted and enforced, where their kind has a status; one agent at a time does it",
    ),
  startTimeoutSeconds: z
    .int()
    .min(1)
    .max(120)
    .default(10)
    .describe(
      "How long a pod's start waits until the pod and its namespace are known, and with them which policies select it; then it is refused, and the runtime tries again",
    ),
});

const services = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe("Bring what asks for a Service to its backends; beside kube-proxy too, whoever comes first does it"),
  algorithm: z
    .enum(["random", "maglev"])
    .default("random")
    .describe(
      "How a new flow finds its backend; `maglev`: by a hash of the flow, the same on all nodes. A Service chooses by the annotation `twill.dev/service-algorithm`",
    ),
  maglevTableSize: z
    .int()
    .min(251)
    .max(131071)
    .refine(isPrime, "A prime is wanted, as 4093, 16381 or 65521")
    .default(16381)
    .describe(
      "Places of a Maglev table, a prime: more than a hundred times a Service's backends lets few flows move when one goes",
    ),
  forwarding: z
    .enum(["snat", "dsr"])
    .default("snat")
    .describe(
      "How who asks a node from outside reaches pods of other nodes. `snat`: in the node's name, so that the pod does not learn who asks; `dsr`: as it came, and the pod's node answers with the service's address, which the network has to let pass. A Service chooses by the annotation `twill.dev/service-forwarding`",
    ),
  announce: z
    .boolean()
    .default(true)
    .describe("Answer ARP and neighbour solicitations for load balancers' addresses: one node for each"),
  nodePortAddresses: z
    .array(cidr)
    .max(64)
    .default([])
    .describe("Node ports are open on those of the node's addresses that lie in these CIDRs; none given: on all"),
  socketCgroup: z
    .union([z.literal("auto"), z.literal("off"), absolutePath], "auto, off or an absolute path is wanted")
    .default("auto")
    .describe(
      "Control group (of a cgroup2 file system) below which sockets that ask for a service get a backend before there is a packet; `auto`: the root that holds all processes of the node; `off`: none, every packet is translated",
    ),
});

const kubernetes = z.strictObject({
  apiServer: apiServer
    .optional()
    .describe(
      "`https://HOST:PORT` of the API, where its Service cannot be used: clusters without kube-proxy; else `$TWILL_API_SERVER`, else what kubeconfig or service account say",
    ),
  tlsServerName: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe("Name that the API's certificate carries, where it is not the host of its address"),
});

const paths = z.strictObject({
  run: absolutePath.default(DEFAULT_PATHS.run).describe("Sockets, ledger and what else lives as long as the boot"),
  bpffs: absolutePath
    .default(DEFAULT_PATHS.bpffs)
    .describe("Where a BPF file system is, or is mounted when there is none"),
  pins: absolutePath.default(DEFAULT_PATHS.pins).describe("Pinned programs, maps and links, below `paths.bpffs`"),
  cniConfDir: absolutePath
    .default(DEFAULT_PATHS.cniConfDir)
    .describe("Where the runtime looks for network configurations"),
  cniBinDir: absolutePath.default(DEFAULT_PATHS.cniBinDir).describe("Where the runtime looks for plugins"),
});

const log = z.strictObject({
  level: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal"])
    .default("info")
    .describe("Least important level that is written"),
});

const cni = z.strictObject({
  install: z.boolean().default(true).describe("Install the plugin and, when ready, the network configuration"),
  networkName: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "Letters, digits, _ . and - are allowed")
    .default("twill")
    .describe("Name of the network in the CNI configuration"),
});

/** The whole. Unknown keys are refused. */
export const configSchema = z.strictObject({
  nodeName: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe("Name of this node's Node object; else `$NODE_NAME`, else the host's name"),
  cluster: clusterChoice.prefault("kube").describe("Where objects come from: `kube` or `dir:PATH`"),
  kubeconfig: absolutePath
    .optional()
    .describe("Path of a kubeconfig; else `$KUBECONFIG`, else the service account of the agent's own pod"),
  kubernetes: kubernetes.prefault({}),
  clusterCIDRs: z
    .array(cidr)
    .min(1)
    .max(16)
    .prefault(["10.244.0.0/16", "fd00:10:244::/48"])
    .describe("Address ranges of all pods; every node's pod CIDRs lie inside of them"),
  allocateNodeCIDRs: z
    .boolean()
    .default(false)
    .describe(
      "Give nodes without pod CIDRs their share of the IPPools, or of `clusterCIDRs` where there is none. Only where kube-controller-manager does not (`--allocate-node-cidrs`), and on all nodes alike",
    ),
  startupTaint: startupTaint
    .prefault("twill.dev/agent-not-ready")
    .describe(
      "Key of the taint that this node's agent takes away once pods can be attached, whatever its effect and value; `none`: it takes none",
    ),
  nodeMaskSize: nodeMaskSize.prefault({}),
  tunnel: tunnel.prefault({}),
  mtu: z
    .union([z.literal("auto"), z.int().min(576).max(65535)], "auto or a number from 576 to 65535 is wanted")
    .default("auto")
    .describe("MTU of pods' devices in bytes; `auto`: the underlay's less 50 (IPv4) or 70 (IPv6) for the tunnel"),
  devices: z
    .union([z.literal("auto"), z.array(z.string().min(1).max(16)).min(1).max(32)], "auto or a list of names is wanted")
    .default("auto")
    .describe(
      "Devices of the underlay, `*` at the end of a name for any rest; `auto`: those of InternalIPs and default routes",
    ),
  nodeAddress: nodeAddress.prefault({}),
  masquerade: masquerade.prefault({}),
  ipam: ipam.prefault({}),
  policy: policy.prefault({}),
  services: services.prefault({}),
  maps: maps.prefault({}),
  cni: cni.prefault({}),
  paths: paths.prefault({}),
  log: log.prefault({}),
  metrics: z
    .strictObject({ listen: listen.prefault("off").describe("Where Prometheus scrapes: `HOST:PORT` or `off`") })
    .prefault({}),
  health: z
    .strictObject({
      listen: listen.prefault("off").describe("Where `/healthz` and `/readyz` answer: `HOST:PORT` or `off`"),
    })
    .prefault({}),
  resyncSeconds: z
    .int()
    .min(5)
    .max(3600)
    .default(60)
    .describe(
      "How often everything is compared with the kernel although nothing is known to have changed; up to three times as long where that would take more than a hundredth of a CPU",
    ),
});

/** What {@link configSchema} makes of a valid input. */
export type ParsedConfig = z.output<typeof configSchema>;

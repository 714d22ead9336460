/** The peers: a routing node whose services a real kube-proxy, or nftables' maps, translate. */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programDirectory } from "../../test/cluster/kube/programs.ts";
import { inNetns, run, type Sandbox, waitFor } from "../../test/fixture/sandbox.ts";
import { goFirst } from "../priority.ts";
import { RATE_PORT, rateServer } from "../tools.ts";
import { type RoutedServers, routedServers } from "../topologies.ts";
import { apiCommand, BenchApi } from "./api.ts";
import { SERVICE_PORT, serviceAddress } from "./objects.ts";
import { type Subject, serviceTargets, whenLoaded } from "./subject.ts";

const NODE = "bench-node";

async function openServers(box: Sandbox, name: string, count: number): Promise<RoutedServers> {
  const routed = routedServers(box, name, count);
  for (const { netns, address } of routed.servers) {
    box.start(rateServer(netns, address));
    await waitFor(`the server at ${address}`, () =>
      run(inNetns(netns, ["ss", "-Hltn"])).includes(`${address}:${RATE_PORT} `),
    );
  }
  return routed;
}

/** The kube-proxy that the real cluster's tests build. undefined: there is none. */
export function kubeProxyProgram(): string | undefined {
  const program = join(programDirectory(), "kube-proxy");
  return existsSync(program) ? program : undefined;
}

/** Debian's `iptables` is nftables behind its old name; the old one is quicker here. */
function legacyIptables(directory: string): string {
  const bin = join(directory, "bin");
  mkdirSync(bin);
  for (const family of ["iptables", "ip6tables"])
    for (const verb of ["", "-save", "-restore"])
      symlinkSync(`/usr/sbin/${family}-legacy${verb}`, join(bin, `${family}${verb}`));
  return bin;
}

/** kube-proxy in its mode `iptables`, on iptables-legacy, following an API of its own. */
export async function kubeProxy(
  stack: AsyncDisposableStack,
  box: Sandbox,
  program: string,
  backends: number,
): Promise<Subject> {
  const { nodeNetns, clientNetns, servers } = await openServers(box, "kp", backends);
  const directory = mkdtempSync(join(tmpdir(), "twill-bench-services-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const kubeconfig = join(directory, "kubeconfig");
  const [file = "", ...args] = inNetns(nodeNetns, ["setpriv", "--pdeathsig", "KILL", "--", ...apiCommand(kubeconfig)]);
  const api = await BenchApi.open(stack, spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] }));
  await api.ask({
    what: "open",
    node: NODE,
    nodeAddress: "10.206.0.1",
    podCidr: "10.206.0.0/24",
    backends: servers.map(({ address }) => ({ address, port: RATE_PORT })),
    pods: [],
  });
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    "--proxy-mode=iptables",
    `--hostname-override=${NODE}`,
    "--kube-api-content-type=application/json",
    // 1.20 asks for slices of v1beta1 only.
    "--feature-gates=EndpointSliceProxying=false",
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
  ];
  const env = { ...process.env, PATH: `${legacyIptables(directory)}:${process.env["PATH"]}` };
  goFirst(box.start(inNetns(nodeNetns, [program, ...flags]), { env }).pid);
  const name = "kube-proxy-iptables";
  return {
    name,
    clientNetns,
    targets: serviceTargets,
    async load(services) {
      const start = performance.now();
      await api.ask({ what: "load", count: services });
      await whenLoaded({ name, clientNetns }, services);
      return performance.now() - start;
    },
  };
}

/** One verdict map from address, protocol and port to a chain for each service, as kube-proxy's mode `nftables`. */
function nftRules(services: number, addresses: readonly string[]): string {
  const numbers = Array.from({ length: services }, (_, i) => i);
  const backends = addresses.map((address, i) => `${i} : ${address}`).join(", ");
  const elements = numbers.map((i) => `${serviceAddress(i)} . tcp . ${SERVICE_PORT} : goto service-${i}`);
  return [
    "table ip services",
    "delete table ip services",
    "table ip services {",
    ...numbers.map(
      (i) =>
        `chain service-${i} { meta l4proto tcp dnat to numgen random mod ${addresses.length} map { ${backends} } : ${RATE_PORT}; }`,
    ),
    "map frontends {",
    "type ipv4_addr . inet_proto . inet_service : verdict",
    `elements = { ${elements.join(",\n")} }`,
    "}",
    "chain prerouting {",
    "type nat hook prerouting priority dstnat; policy accept;",
    "ip daddr . meta l4proto . th dport vmap @frontends",
    "}",
    "}",
    "",
  ].join("\n");
}

/** nftables' maps, loaded in one transaction. */
export async function nftMap(box: Sandbox, backends: number): Promise<Subject> {
  const { nodeNetns, clientNetns, servers } = await openServers(box, "nf", backends);
  const addresses = servers.map((s) => s.address);
  const name = "nftables-map";
  return {
    name,
    clientNetns,
    targets: serviceTargets,
    async load(services) {
      const input = nftRules(services, addresses);
      const start = performance.now();
      run(inNetns(nodeNetns, ["nft", "-f", "-"]), { input });
      await whenLoaded({ name, clientNetns }, services);
      return performance.now() - start;
    },
  };
}

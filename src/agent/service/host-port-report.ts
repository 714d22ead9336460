/** Pods' host ports in the words of services, beside which they stand in `GET /v1/services`. */

import type { Endpoint, HostPort } from "../../model/endpoint.ts";
import { protocolName } from "../../model/protocol.ts";
import { type Addr, ANY_ADDR, socketText } from "../../net/addr.ts";
import { hostPortAddrs } from "../../plan/host-ports.ts";
import type { ServiceTables } from "../../service/tables.ts";
import type { PortReport, ServiceReport } from "./service-report.ts";

/** Kind and type of all of them. */
const HOST_PORT = "HostPort";

/** Who has an address and port as a service's. */
export type Owners = Pick<ServiceTables, "ownerOf">;

/** Namespace and name of a pod; of a container that nobody gave any, its id. */
function nameOf(e: Endpoint): { readonly namespace: string; readonly name: string } {
  return { namespace: e.podNamespace ?? "-", name: e.podName ?? e.containerId.slice(0, 12) };
}

function portReport(
  e: Endpoint,
  p: HostPort,
  at: Addr,
  pod: Addr,
  node: string,
  owners: Owners | undefined,
): PortReport {
  const { hostPort: port, protocol } = p;
  const owner = [at, ANY_ADDR[at.family]]
    .map((a) => owners?.ownerOf({ addr: a, port, protocol }))
    .find((o) => o !== undefined);
  const state = e.state === "ready" ? "ready" : "gone";
  return {
    name: "",
    port,
    protocol: protocolName(protocol),
    family: at.family,
    number: undefined,
    algorithm: "random",
    affinitySeconds: undefined,
    narrowedBy: undefined,
    sources: [],
    frontends: [
      {
        kind: HOST_PORT,
        address: socketText(at, port),
        inside: "cluster",
        outside: "cluster",
        isRestricted: false,
        lostTo: owner,
        announce: undefined,
      },
    ],
    backends: [
      {
        address: socketText(pod, p.containerPort),
        number: 0,
        node,
        zone: "",
        state,
        isInCluster: true,
        isInLocal: true,
      },
    ],
  };
}

/**
 * The host ports of a node's pods, by pod.
 * @param node its name
 * @param owners of addresses of services, which count first; undefined: nothing is known of them
 */
export function hostPortReports(
  endpoints: readonly Endpoint[],
  node: string,
  owners: Owners | undefined,
): readonly ServiceReport[] {
  return endpoints
    .filter((e) => e.hostPorts.length > 0)
    .map((e) => {
      const ports = e.hostPorts.flatMap((p) =>
        hostPortAddrs(e, p).map(([at, pod]) => portReport(e, p, at, pod, node, owners)),
      );
      const lost = ports.flatMap((p) => p.frontends.filter((f) => f.lostTo !== undefined));
      return {
        ...nameOf(e),
        type: HOST_PORT,
        unserved: undefined,
        issues: lost.map((f) => `Host port ${f.address} leads to ${f.lostTo}, which has it as a service`),
        ports,
      };
    })
    .sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

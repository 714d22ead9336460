/** Where a service's port is asked for. */

import type { Service, ServicePort } from "../model/service.ts";
import { HEADLESS_LABEL, PROXY_NAME_LABEL } from "../model/unproxied.ts";
import { type Addr, ANY_ADDR, type Family } from "../net/addr.ts";

/** What an address of a service is. */
export type FrontendKind = "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalIP";

/** An address and port where a service is asked for. */
export interface Frontend {
  readonly kind: FrontendKind;
  /** The zero address of its family: every address of the node. */
  readonly addr: Addr;
  readonly port: number;
  /** IANA number. */
  readonly protocol: number;
}

/** A frontend's name: equal exactly for equal address, port and protocol. */
export function frontendName(f: Pick<Frontend, "addr" | "port" | "protocol">): string {
  return `${f.addr.text} ${f.port} ${f.protocol}`;
}

/** Why a service has no frontends at all; undefined: it has. */
export function whyUnserved(s: Service): string | undefined {
  if (s.type === "ExternalName") return "it is a name only";
  if (s.isHeadless) return "it is headless: its name leads to its endpoints";
  if (s.labels.get(HEADLESS_LABEL) !== undefined)
    return "its label says that it is headless: its name leads to its endpoints";
  const proxy = s.labels.get(PROXY_NAME_LABEL);
  if (proxy !== undefined) return `its label says that "${proxy}" serves it`;
  return undefined;
}

/**
 * All frontends of one family of a port, each address once.
 * @param nodePortAddrs addresses of this node that node ports are open on; undefined: all
 */
export function frontendsOf(
  s: Service,
  { port, protocol, nodePort }: ServicePort,
  family: Family,
  nodePortAddrs: readonly Addr[] | undefined,
): Frontend[] {
  const at = (kind: FrontendKind, addrs: readonly Addr[], p: number): Frontend[] =>
    addrs.filter((a) => a.family === family).map((a) => ({ kind, addr: a, port: p, protocol }));
  const hasNodePort = nodePort !== undefined && (s.type === "NodePort" || s.type === "LoadBalancer");
  const all = [
    ...at("ClusterIP", s.clusterIps, port),
    ...at("LoadBalancer", s.loadBalancerIps, port),
    ...at("ExternalIP", s.externalIps, port),
    ...(hasNodePort && s.families.includes(family)
      ? at("NodePort", nodePortAddrs ?? [ANY_ADDR[family]], nodePort)
      : []),
  ];
  const seen = new Set<string>();
  return all.filter((f) => {
    const name = frontendName(f);
    return !seen.has(name) && seen.add(name);
  });
}

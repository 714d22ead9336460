/** The body of `GET /v1/services`: services as they are on this node, with who answers at each of their addresses. */

import type { EndpointState } from "../../model/endpoint-slice.ts";
import { protocolName } from "../../model/protocol.ts";
import { type Addr, socketText } from "../../net/addr.ts";
import { type Backend, backendName } from "../../service/endpoints.ts";
import type { Answers, PlannedFrontend, PortPlan, ServicePlan } from "../../service/service-plan.ts";
import type { AnnounceState } from "../announce/announce-control.ts";
import type { ServiceEngine } from "./service-engine.ts";

/** An address where a service is asked for. */
export interface FrontendReport {
  readonly kind: string;
  /** `10.96.0.1:80`; a node port of all the node's addresses is `0.0.0.0:30080` or `[::]:30080`. */
  readonly address: string;
  /** Who answers pods and nodes, and who answers the wire: `cluster`, `local`; undefined: nobody from there. */
  readonly inside: Answers;
  readonly outside: Answers;
  /** Only {@link PortReport.sources} may ask. */
  readonly isRestricted: boolean;
  /** Another service that has the address; undefined: it is this one's. */
  readonly lostTo: string | undefined;
  /** Of a load balancer's address that Twill announces: by which nodes; undefined: it does not. */
  readonly announce: AnnounceState | undefined;
}

/** Somebody behind a service. */
export interface BackendReport {
  readonly address: string;
  /** In the maps; 0: it has none, since it serves nobody. */
  readonly number: number;
  /** `""`: not said. */
  readonly node: string;
  readonly zone: string;
  /** `ending`: takes nothing new unless nobody else does; `gone`: ends and serves no more. */
  readonly state: "ready" | "ending" | "not ready" | "gone";
  /** Gets new flows under policy Cluster, and under Local. */
  readonly isInCluster: boolean;
  readonly isInLocal: boolean;
}

/** One port in one family. */
export interface PortReport {
  /** `""`: it has none. */
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly family: 4 | 6;
  /** In the maps. */
  readonly number: number | undefined;
  readonly algorithm: string;
  readonly affinitySeconds: number | undefined;
  /** By which hints clients of this node are kept near: `zone`, `node`; undefined: they are not. */
  readonly narrowedBy: string | undefined;
  readonly sources: readonly string[];
  readonly frontends: readonly FrontendReport[];
  readonly backends: readonly BackendReport[];
}

/** A service. */
export interface ServiceReport {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  /** Why it is asked for nowhere here; undefined: it is. */
  readonly unserved: string | undefined;
  /** What of it is not done as it says. */
  readonly issues: readonly string[];
  readonly ports: readonly PortReport[];
}

function stateText({ isReady, isServing, isTerminating }: EndpointState): BackendReport["state"] {
  if (isReady) return "ready";
  if (isTerminating) return isServing ? "ending" : "gone";
  return "not ready";
}

/** How an address is announced. */
type Announcing = (addr: Addr) => AnnounceState | undefined;

function frontendReport(
  engine: ServiceEngine,
  announcing: Announcing,
  port: PortPlan,
  f: PlannedFrontend,
): FrontendReport {
  const { kind, inside, outside, isRestricted } = f;
  const lostTo = engine.tables.ownerInstead(f, port.name);
  const announce = kind === "LoadBalancer" ? announcing(f.addr) : undefined;
  return { kind, address: socketText(f.addr, f.port), inside, outside, isRestricted, lostTo, announce };
}

function portReport(engine: ServiceEngine, announcing: Announcing, port: PortPlan): PortReport {
  const { choice } = port;
  const [cluster, local] = [new Set(choice.cluster), new Set(choice.local)];
  const backendReport = (b: Backend): BackendReport => ({
    address: socketText(b.addr, b.port),
    number: engine.tables.backendNumber(backendName(b)),
    node: b.state.nodeName,
    zone: b.state.zone,
    state: stateText(b.state),
    isInCluster: cluster.has(b),
    isInLocal: local.has(b),
  });
  return {
    name: port.portName,
    port: port.port,
    protocol: protocolName(port.protocol),
    family: port.family,
    number: engine.tables.numberOf(port.name),
    algorithm: port.algorithm,
    affinitySeconds: port.affinitySeconds,
    narrowedBy: choice.narrowing,
    sources: port.sources.map((p) => p.text),
    frontends: port.frontends.map((f) => frontendReport(engine, announcing, port, f)),
    backends: port.backends.map(backendReport),
  };
}

function issuesOf(engine: ServiceEngine, key: string, plan: ServicePlan, ports: readonly PortReport[]): string[] {
  const lost = ports.flatMap((p) => p.frontends.filter((f) => f.lostTo !== undefined));
  return [
    ...(engine.tables.overflow.has(key) ? ["There is no room for it in the maps of services: it is not served"] : []),
    ...plan.issues,
    ...lost.map((f) => `${f.kind} ${f.address} belongs to ${f.lostTo}, which is older or has it as its cluster IP`),
  ];
}

/** All services, by name. @param only `namespace/name` of the only one that is wanted */
export function serviceReports(
  engine: ServiceEngine | undefined,
  announcing: Announcing,
  only?: string,
): ServiceReport[] {
  if (engine === undefined) return [];
  const names = only === undefined ? [...engine.objects.names()].sort() : [only];
  return names.flatMap((key): ServiceReport[] => {
    const service = engine.objects.service(key);
    const plan = engine.plan(key);
    if (service === undefined || plan === undefined) return [];
    const ports = plan.ports.map((p) => portReport(engine, announcing, p));
    const { namespace, name, type } = service;
    return [{ namespace, name, type, unserved: plan.unserved, issues: issuesOf(engine, key, plan, ports), ports }];
  });
}

/** One service on one node: its frontends, and who answers at each. Pure: the same objects and node give the same plan. */

import type { EndpointSlice } from "../model/endpoint-slice.ts";
import type { Service } from "../model/service.ts";
import type { Addr, Family } from "../net/addr.ts";
import type { Prefix } from "../net/prefix.ts";
import { type Choice, chooseBackends, type Place } from "./choose.ts";
import { type Backend, backendsOf } from "./endpoints.ts";
import { type Frontend, frontendsOf, whyUnserved } from "./frontends.ts";

const ALGORITHMS = ["random", "maglev"] as const;
/** How a backend is found for a new flow. */
export type Algorithm = (typeof ALGORITHMS)[number];

const FORWARDINGS = ["snat", "dsr"] as const;
/** How who asks from the wire reaches pods of other nodes: in the node's name, or so that they answer themselves. */
export type Forwarding = (typeof FORWARDINGS)[number];

/** What is the same for all services of a node. */
export interface ServiceContext {
  readonly place: Place;
  /** Addresses of the node that node ports are open on; undefined: all. */
  readonly nodePortAddrs: readonly Addr[] | undefined;
  /** Of services that ask for none. */
  readonly algorithm: Algorithm;
  /** Places of a Maglev table, a prime. */
  readonly maglevSize: number;
  /** Of services that ask for none. */
  readonly forwarding: Forwarding;
}

/** Which choice answers: undefined, nobody from there. */
export type Answers = "cluster" | "local" | undefined;

/** A frontend and who answers. */
export interface PlannedFrontend extends Frontend {
  /** For pods and nodes of the cluster. */
  readonly inside: Exclude<Answers, undefined>;
  /** For who comes from the wire. */
  readonly outside: Answers;
  /** Only from {@link PortPlan.sources}. */
  readonly isRestricted: boolean;
}

/** One port of a service in one family. */
export interface PortPlan {
  /** `namespace/name:port/protocol/family`: unique. */
  readonly name: string;
  readonly portName: string;
  readonly port: number;
  /** IANA number. */
  readonly protocol: number;
  readonly family: Family;
  readonly frontends: readonly PlannedFrontend[];
  /** All, those that do not answer included. */
  readonly backends: readonly Backend[];
  readonly choice: Choice;
  readonly algorithm: Algorithm;
  readonly maglevSize: number;
  readonly forwarding: Forwarding;
  /** undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
  readonly sources: readonly Prefix[];
  /** The older service has an address that two claim. */
  readonly created: string;
}

/** A service. */
export interface ServicePlan {
  readonly ports: readonly PortPlan[];
  /** Why it has no ports here; undefined: it has. */
  readonly unserved: string | undefined;
  /** What of it cannot be done as it says. */
  readonly issues: readonly string[];
}

/** Annotation by which a service chooses its algorithm. */
const ALGORITHM_ANNOTATION = "twill.dev/service-algorithm";

/** Annotation by which a service chooses how it is forwarded. */
const FORWARDING_ANNOTATION = "twill.dev/service-forwarding";

const DISTRIBUTIONS = ["PreferClose", "PreferSameZone", "PreferSameNode"];

/** What an annotation says; `usual` where there is none, or none that is known. */
function annotated<T extends string>(
  s: Service,
  annotation: string,
  words: readonly T[],
  usual: T,
  issues: string[],
): T {
  const text = s.annotations.get(annotation);
  if (text === undefined) return usual;
  const known = words.find((w) => w === text);
  if (known === undefined)
    issues.push(`Annotation ${annotation} "${text.slice(0, 64)}" is not one of ${words.join(", ")}`);
  return known ?? usual;
}

function noteUnknown(s: Service, issues: string[]): void {
  const { trafficDistribution: d } = s;
  if (d !== undefined && !DISTRIBUTIONS.includes(d))
    issues.push(
      `trafficDistribution "${d.slice(0, 64)}" is not one of ${DISTRIBUTIONS.join(", ")}: it is not followed`,
    );
}

/** Traffic policy `Local` of the inside is of the cluster IP alone: what asks from inside at other addresses is cut short, as with kube-proxy. */
function planFrontend(s: Service, f: Frontend): PlannedFrontend {
  const isInner = f.kind === "ClusterIP";
  return {
    ...f,
    inside: isInner && s.isInsideLocal ? "local" : "cluster",
    outside: isInner ? undefined : s.isOutsideLocal ? "local" : "cluster",
    isRestricted: f.kind === "LoadBalancer" && s.sourceRanges.length > 0,
  };
}

/** See the file's comment. @param slices of the service, in any order */
export function planService(s: Service, slices: readonly EndpointSlice[], context: ServiceContext): ServicePlan {
  const unserved = whyUnserved(s);
  if (unserved !== undefined) return { ports: [], unserved, issues: [] };
  const issues: string[] = [];
  const algorithm = annotated(s, ALGORITHM_ANNOTATION, ALGORITHMS, context.algorithm, issues);
  const forwarding = annotated(s, FORWARDING_ANNOTATION, FORWARDINGS, context.forwarding, issues);
  noteUnknown(s, issues);
  const ports = s.ports.flatMap((port) =>
    ([4, 6] as const).flatMap((family): PortPlan[] => {
      const frontends = frontendsOf(s, port, family, context.nodePortAddrs);
      if (frontends.length === 0) return [];
      const backends = backendsOf(port, family, slices);
      const isTooLarge = algorithm === "maglev" && backends.length > context.maglevSize;
      if (isTooLarge)
        issues.push(
          `Port ${port.port} has ${backends.length} endpoints, more than a table of services.maglevTableSize ${context.maglevSize} has places: they are chosen at random`,
        );
      return [
        {
          name: `${s.namespace}/${s.name}:${port.port}/${port.protocol}/${family}`,
          portName: port.name,
          port: port.port,
          protocol: port.protocol,
          family,
          frontends: frontends.map((f) => planFrontend(s, f)),
          backends,
          choice: chooseBackends(backends, context.place),
          algorithm: isTooLarge ? "random" : algorithm,
          maglevSize: context.maglevSize,
          forwarding,
          affinitySeconds: s.affinitySeconds,
          sources: s.sourceRanges.filter((r) => r.family === family),
          created: s.created,
        },
      ];
    }),
  );
  return { ports, unserved: undefined, issues };
}

/** How services stand on this node: whether they are applied, how much of them there is, and what of them is not done. */

import { SERVICE_MAPS } from "../../plan/service-rows.ts";
import type { AnnounceCounts } from "../announce/announce-counts.ts";
import type { KubeProxyFound } from "../kube-proxy/watch.ts";
import type { TableFill } from "../policy/policy-status.ts";
import type { ServiceControl } from "./service-control.ts";

/** See the file's comment. */
export interface ServiceStatus {
  readonly isEnabled: boolean;
  /** What the cluster's services say is what the kernel does. */
  readonly isReady: boolean;
  /** Why it is not. */
  readonly problem: string | undefined;
  /** Services of the cluster. */
  readonly services: number;
  /** Addresses and ports at which they are asked for. */
  readonly frontends: number;
  /** Different backends that get new flows. */
  readonly backends: number;
  readonly tables: readonly TableFill[];
  /** Changes that were applied, and the time of the last one. */
  readonly changes: number;
  readonly lastChangeMs: number;
  /** Entries of flows and affinities that pointed at backends which are gone. */
  readonly forgotten: number;
  /** `namespace/name: what`, at most 100; what keeps addresses from being announced first, then those that have no room. */
  readonly issues: readonly string[];
  /** All of them. */
  readonly issueCount: number;
  /** What there is of kube-proxy on this node. */
  readonly kubeProxy: KubeProxyFound;
  /** What is done so that the network finds addresses of load balancers. */
  readonly announce: AnnounceCounts;
}

/** What of services others of an agent know. */
export interface ServiceFacts {
  readonly kubeProxy: KubeProxyFound;
  readonly announce: AnnounceCounts;
  /** Why addresses are not announced as they should be; undefined: they are. */
  readonly announceProblem: string | undefined;
}

const MAX_ISSUES = 100;

/** Puts it together. */
export function serviceStatus(control: ServiceControl, facts: ServiceFacts): ServiceStatus {
  const { engine, changes, problem, isEnabled } = control;
  const counts = engine?.tables.counts();
  const full = Array.from(
    engine?.tables.overflow ?? [],
    (name) => `${name}: no room in the maps of services, so that it is not served`,
  );
  const told = Array.from(engine?.issues ?? [], ([name, issues]) => issues.map((i) => `${name}: ${i}`)).flat();
  const { kubeProxy, announce, announceProblem } = facts;
  const mute =
    announceProblem === undefined ? [] : [`addresses of load balancers are not announced: ${announceProblem}`];
  const all = [...mute, ...full, ...told];
  return {
    isEnabled,
    isReady: isEnabled && problem === undefined,
    problem,
    services: engine?.objects.size ?? 0,
    frontends: counts?.services ?? 0,
    backends: counts?.backends ?? 0,
    tables:
      engine === undefined || counts === undefined
        ? []
        : (["services", "slots", "backends", "sources"] as const).map((t) => ({
            table: SERVICE_MAPS[t],
            rows: counts[t],
            limit: engine.limits[t],
          })),
    changes: changes.count,
    lastChangeMs: changes.lastMs,
    forgotten: [...control.forgotten.values()].reduce((a, b) => a + b, 0),
    issues: all.slice(0, MAX_ISSUES),
    issueCount: all.length,
    kubeProxy,
    announce,
  };
}

/** Both ends of a flow judged by the tables, as the kernel does it. */

import type { Addr } from "../net/addr.ts";
import { isHostKey } from "./host-parts.ts";
import { lookup } from "./lookup.ts";
import type { Partition } from "./partition.ts";
import { CLOSED, type PolicyTables, type Verdict } from "./table.ts";

/** A flow's first packet, after any translation of its destination. */
export interface JudgedFlow {
  readonly from: Addr;
  readonly to: Addr;
  readonly protocol: number;
  /** As in the key of the table `sets`. */
  readonly port: number;
}

/** The say of each end that is an endpoint of this node. */
export interface FlowVerdict {
  readonly egress: Verdict | undefined;
  readonly ingress: Verdict | undefined;
  /** No end of this node denies. */
  readonly isAllowed: boolean;
}

/**
 * What the node sends to its own pods, it is not asked about.
 * @param endpointAt key of this node's endpoint at an address; of the node itself one of a `HostPart`
 */
export function judgeFlow(
  tables: PolicyTables,
  partition: Partition,
  endpointAt: (addr: Addr) => string | undefined,
  flow: JudgedFlow,
): FlowVerdict {
  const ask = (at: Addr, peer: Addr, direction: "ingress" | "egress"): Verdict | undefined => {
    const key = endpointAt(at);
    if (key === undefined) return undefined;
    const identity = partition.identityOf(peer);
    return lookup(tables, {
      class: tables.endpoints.get(key)?.[direction] ?? CLOSED,
      identity: identity.number,
      family: identity.family,
      protocol: flow.protocol,
      port: flow.port,
    });
  };
  const isProbe = isHostKey(endpointAt(flow.from)) && endpointAt(flow.to) !== undefined;
  const egress = isProbe ? undefined : ask(flow.from, flow.to, "egress");
  const ingress = ask(flow.to, flow.from, "ingress");
  return { egress, ingress, isAllowed: (egress?.isAllowed ?? true) && (ingress?.isAllowed ?? true) };
}

/** Who stands where on the lab's wire: names, addresses, hardware addresses. Data only. */

/** A node of the lab. */
export interface LabNode extends AddressPair {
  readonly name: string;
  /** 1 … 200. */
  readonly index: number;
  readonly mac: string;
}

/** A router's leg or a host's address in both families. */
export interface AddressPair {
  readonly v4: string;
  readonly v6: string;
}

/** Everything on the wire. */
export interface Topology {
  readonly nodes: readonly LabNode[];
  /** Next hop of nodes and of the API's leg. */
  readonly router: AddressPair;
  readonly api: AddressPair;
  /** A host that is no part of the cluster, one router away. */
  readonly outside: AddressPair;
  /** Next hop of the outside host. */
  readonly outsideRouter: AddressPair;
  readonly mtuBytes: number;
  /** IP versions that nodes have on the wire; the first one is that of their first InternalIP. */
  readonly families: readonly (4 | 6)[];
}

/** Prefix lengths on the nodes' network and on the outside host's. */
export const WIRE_LENGTH = { v4: 24, v6: 64 } as const;
/** More would not fit into the wire's addresses, and no machine wants them. */
export const MAX_NODES = 200;

/**
 * A wire with `count` nodes.
 * @throws RangeError outside 1 … {@link MAX_NODES}
 */
export function topology(count: number, mtuBytes = 1500, families: readonly (4 | 6)[] = [4, 6]): Topology {
  if (!Number.isInteger(count) || count < 1 || count > MAX_NODES)
    throw new RangeError(`Cannot make ${count} nodes: 1 to ${MAX_NODES} are possible`);
  const nodes = Array.from({ length: count }, (_, i) => node(i + 1));
  return {
    nodes,
    router: { v4: "192.168.77.1", v6: "fd00:77::1" },
    api: { v4: "192.168.77.2", v6: "fd00:77::2" },
    outside: { v4: "198.51.100.10", v6: "2001:db8:51::10" },
    outsideRouter: { v4: "198.51.100.1", v6: "2001:db8:51::1" },
    mtuBytes,
    families,
  };
}

function node(index: number): LabNode {
  const host = 10 + index;
  return {
    name: `node-${index}`,
    index,
    v4: `192.168.77.${host}`,
    v6: `fd00:77::${host}`,
    mac: `02:77:00:00:00:${index.toString(16).padStart(2, "0")}`,
  };
}

/** A pair's addresses of the given IP versions, in their order. */
export function addressesOf(pair: AddressPair, families: readonly (4 | 6)[]): string[] {
  return families.map((f) => (f === 4 ? pair.v4 : pair.v6));
}

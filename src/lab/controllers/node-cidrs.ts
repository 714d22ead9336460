/** The pod CIDRs of a lab's nodes: the index-th part of every cluster CIDR. */

import { addrFromBigint, addrToBigint, familyBits } from "../../net/addr.ts";
import { type Prefix, prefixOf } from "../../net/prefix.ts";

/** Lengths of a node's part by family. */
export interface MaskSizes {
  readonly v4: number;
  readonly v6: number;
}

/**
 * The part of a cluster CIDR that the node with this index has. Part 0 stays unused, so that node-1 has 10.244.1.0/24.
 * @throws RangeError when the CIDR has no such part
 */
export function nodeCidr(cluster: Prefix, index: number, sizes: MaskSizes): Prefix {
  const length = cluster.family === 4 ? sizes.v4 : sizes.v6;
  const parts = length < cluster.length ? 0n : 1n << BigInt(length - cluster.length);
  if (BigInt(index) >= parts)
    throw new RangeError(
      `Cluster CIDR ${cluster.text} has no part of length ${length} for node ${index}: it has ${parts}`,
    );
  const step = 1n << BigInt(familyBits(cluster.family) - length);
  return prefixOf(addrFromBigint(cluster.family, addrToBigint(cluster.addr) + BigInt(index) * step), length);
}

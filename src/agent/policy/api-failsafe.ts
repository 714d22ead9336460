/** The agent's own way to the API: what it must not lose by a policy of its node, since no other policy would ever reach it. */

import type { ClusterSource } from "../../cluster/source.ts";
import { parseAddr } from "../../net/addr.ts";
import { hostPrefix } from "../../net/prefix.ts";
import type { Failsafes } from "../../policy/failsafe.ts";
import type { AgentConfig } from "../config/config.ts";

const TCP = 6;
const HTTPS_PORT = 443;

/**
 * Those failsafe ports, and the API's own address and port. A name is nobody's address, and an address that the node's firewall
 * translates is another one on the wire: for those the ports have to be among the configured ones.
 */
export function withApi(
  failsafes: Failsafes,
  cluster: AgentConfig["cluster"],
  source: Pick<ClusterSource, "description">,
): Failsafes {
  if (cluster.kind !== "kube" || !URL.canParse(source.description)) return failsafes;
  const url = new URL(source.description);
  const addr = parseAddr(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  if (!addr.ok) return failsafes;
  const port = url.port === "" ? HTTPS_PORT : Number(url.port);
  return { ...failsafes, egress: [...failsafes.egress, { protocol: TCP, port, nets: [hostPrefix(addr.value)] }] };
}

/** Protocols in the words that people know. */

const NAMES: ReadonlyMap<number, string> = new Map([
  [1, "ICMP"],
  [2, "IGMP"],
  [4, "IPIP"],
  [6, "TCP"],
  [17, "UDP"],
  [41, "IPv6"],
  [47, "GRE"],
  [50, "ESP"],
  [51, "AH"],
  [58, "ICMPv6"],
  [89, "OSPF"],
  [112, "VRRP"],
  [132, "SCTP"],
  [136, "UDPLite"],
]);

/** `TCP`; `protocol 200` of one without a name here. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? `protocol ${protocol}`;
}

const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"] as const;

/** `SYN,ACK`; empty: none. */
export function tcpFlagsText(flags: number): string {
  return FLAGS.filter((_, i) => (flags >> i) & 1).join(",");
}

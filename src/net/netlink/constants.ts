/**
 * Numbers of the netlink and rtnetlink ABI that Twill uses (linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h,
 * neighbour.h, pkt_cls.h). They are the kernel's promise and never change.
 */

/** Netlink protocols. */
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;

/** Message types below the first family's own (netlink.h). */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** Flags of a message header. Those of requests share numbers by kind of request. */
export const NLM_F = {
  REQUEST: 0x01,
  MULTI: 0x02,
  ACK: 0x04,
  ECHO: 0x08,
  /** A dump met a change: what it says is not one state of the kernel. */
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  /** Of error messages: the request's payload is left out; attributes follow. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** Attributes of error messages ("extack"). */
export const NLMSGERR_ATTR = { MSG: 1, OFFS: 2 } as const;

/** Attribute type bits that are not part of the number. */
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

/** Message types of rtnetlink. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  GETNEIGH: 30,
  NEWQDISC: 36,
  DELQDISC: 37,
  GETQDISC: 38,
  NEWTFILTER: 44,
  DELTFILTER: 45,
  GETTFILTER: 46,
} as const;

/** Message types of sock_diag (linux/sock_diag.h). */
export const SOCK_DIAG = { BY_FAMILY: 20, DESTROY: 21 } as const;

/** Address families. */
export const AF = { UNSPEC: 0, INET: 2, INET6: 10 } as const;

/** Flags of a device (if.h). */
export const IFF = { UP: 0x1, LOOPBACK: 0x8, NOARP: 0x80, LOWER_UP: 0x10000 } as const;

/** Attributes of a device. */
export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  CARRIER: 33,
  LINK_NETNSID: 37,
} as const;

/** Inside {@link IFLA}.LINKINFO. */
export const IFLA_INFO = { KIND: 1, DATA: 2 } as const;

/** Inside a veth's data: an ifinfomsg and attributes of the other end. */
export const VETH_INFO_PEER = 1;

/** Inside a vxlan's data. */
export const IFLA_VXLAN = { ID: 1, LEARNING: 7, PORT: 15, UDP_ZERO_CSUM6_RX: 20, COLLECT_METADATA: 25 } as const;

/** Inside {@link IFLA}.AF_SPEC, family INET6; mode 1 is "none": no link-local address of the kernel's making. */
export const IFLA_INET6_ADDR_GEN_MODE = 8;
export const ADDR_GEN_MODE_NONE = 1;

/** Asks for devices without their statistics (RTEXT_FILTER_SKIP_STATS). */
export const RTEXT_FILTER_SKIP_STATS = 8;

/** Attributes of an interface address. */
export const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
/** Flags of an interface address. */
export const IFA_F = { NODAD: 0x02, DADFAILED: 0x08, TENTATIVE: 0x40, NOPREFIXROUTE: 0x200 } as const;

/** Attributes of a route. */
export const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, METRICS: 8, TABLE: 15 } as const;
/** Inside {@link RTA}.METRICS. */
export const RTAX_MTU = 2;
/** Types, scopes, flags and tables of routes. */
export const RTN_UNICAST = 1;
export const RT_SCOPE = { UNIVERSE: 0, LINK: 253, NOWHERE: 255 } as const;
export const RT_TABLE_MAIN = 254;
/** A route that was cloned by the kernel: a cache entry, not configuration. */
export const RTM_F_CLONED = 0x200;

/** Attributes and states of a neighbour. */
export const NDA = { DST: 1, LLADDR: 2 } as const;
export const NUD_PERMANENT = 0x80;

/** Attributes of qdiscs and filters. */
export const TCA = { KIND: 1, OPTIONS: 2 } as const;
/** Inside a bpf filter's options. */
export const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8, ID: 11 } as const;
export const TCA_BPF_FLAG_ACT_DIRECT = 1;
/** Inside a tbf's options (pkt_sched.h). RATE64 is bytes per second, BURST bytes. */
export const TCA_TBF = { PARMS: 1, RATE64: 4, BURST: 6 } as const;
/** Link layer of a rate that needs no table of transmission times. */
export const TC_LINKLAYER_ETHERNET = 1;
/** Handles of clsact and its two hooks. */
export const TC_H = {
  ROOT: 0xffffffff,
  CLSACT: 0xfffffff1,
  CLSACT_HANDLE: 0xffff0000,
  INGRESS: 0xfffffff2,
  EGRESS: 0xfffffff3,
} as const;
export const ETH_P_ALL = 0x0003;

/** What the cases of the node's own policy share: rules for the node, and the ways that its flows go. */

import { ConfigFlag } from "../../src/net/gen/bpf-maps.ts";
import { frame, TCP_FLAG, type Transport, tcp } from "./frames.ts";
import { NODE } from "./node.ts";
import { OPEN_CLASS, type Plane } from "./plane.ts";
import {
  always,
  denied,
  type Rules,
  type Step,
  TWILL1,
  VIA_NODE2,
  type WHO,
  type Word,
  writeClass,
} from "./policy-way.ts";
import { MACS } from "./wire-way.ts";

const { node, outside } = NODE;
/** What begins a connection. */
export const SYN = { flags: TCP_FLAG.syn } as const;
const CLASSES = { ingress: 14, egress: 15 } as const;
const OTHER_CLASSES = { ingress: 16, egress: 17 } as const;

/** The device that TEST_RUN says packets come in and leave by. */
export const DEVICE = 1;

/** The switch, as the agent sets it when a policy speaks of the node. */
export function switchOn(plane: Plane): void {
  const { masquerade4, masquerade6, noShortcut, hostPolicy } = ConfigFlag;
  plane.putConfig({ flags: masquerade4 | masquerade6 | noShortcut | hostPolicy });
}

/**
 * Gives the node rules in one direction, what it has in the other stays, and switches them on.
 * @param link its device's own ones; else those of everything that has none
 */
export function hostRule(plane: Plane, direction: "ingress" | "egress", rules: Rules, link = 0): void {
  const numbers = link === 0 ? CLASSES : OTHER_CLASSES;
  writeClass(plane, numbers[direction], rules);
  plane.putHost(link, {
    ingressClass: plane.hasClass(numbers.ingress) ? numbers.ingress : OPEN_CLASS,
    egressClass: plane.hasClass(numbers.egress) ? numbers.egress : OPEN_CLASS,
  });
  switchOn(plane);
  plane.announcePolicy();
}

/** A way of the node's own flows: how packets of both directions come by, and which rules are asked about whom. */
export interface HostWay {
  readonly name: string;
  readonly direction: "ingress" | "egress";
  readonly peer: keyof typeof WHO;
  readonly from: keyof typeof WHO;
  readonly to: keyof typeof WHO;
  /** What denies answers nobody, and what it lets pass counts nothing. */
  readonly isWire: boolean;
  forth(t: Transport): Step;
  back(t: Transport): Step;
}

/** All of them. */
export function hostWays(f: Word): readonly HostWay[] {
  const { podA, remote } = NODE;
  const arrives = (t: Transport): Step => ({
    program: "from_wire",
    frame: frame(outside[f], node[f], t, MACS),
    metric: "",
  });
  const leaves = (t: Transport): Step => ({
    program: "to_wire",
    frame: frame(node[f], outside[f], t, MACS),
    metric: "",
  });
  const tunnelled = (t: Transport): Step => ({
    program: "from_tunnel",
    frame: frame(remote[f], node[f], t),
    options: VIA_NODE2,
    metric: "forward_stack",
  });
  const sends = (t: Transport): Step => ({
    program: "from_host",
    frame: frame(node[f], remote[f], t, TWILL1),
    metric: "forward_tunnel",
  });
  return [
    {
      name: "from the wire",
      direction: "ingress",
      peer: "outside",
      from: "outside",
      to: "node",
      isWire: true,
      forth: arrives,
      back: leaves,
    },
    {
      name: "to the wire",
      direction: "egress",
      peer: "outside",
      from: "node",
      to: "outside",
      isWire: true,
      forth: leaves,
      back: arrives,
    },
    {
      name: "from a pod of the node",
      direction: "ingress",
      peer: "podA",
      from: "podA",
      to: "node",
      isWire: false,
      forth: (t) => ({ program: "from_pod", frame: frame(podA[f], node[f], t), metric: "forward_stack" }),
      back: (t) => ({ program: "from_host", frame: frame(node[f], podA[f], t, TWILL1), metric: "forward_local" }),
    },
    {
      name: "from a pod of another node",
      direction: "ingress",
      peer: "remote",
      from: "remote",
      to: "node",
      isWire: false,
      forth: tunnelled,
      back: sends,
    },
    {
      name: "to a pod of another node",
      direction: "egress",
      peer: "remote",
      from: "node",
      to: "remote",
      isWire: false,
      forth: sends,
      back: tunnelled,
    },
  ];
}

/** Nothing passes in either direction. */
export const closeAll = (plane: Plane, link?: number) => {
  hostRule(plane, "ingress", { rows: [always(denied(1))] }, link);
  hostRule(plane, "egress", { rows: [always(denied(2))] }, link);
};

/** A packet from the wire. */
export const arrives = (f: Word, t = tcp(4000, 80, SYN), from: string = outside[f], to: string = node[f]) =>
  ({ program: "from_wire", frame: frame(from, to, t, MACS) }) as const;
/** One to it. */
export const leaves = (f: Word, t = tcp(4000, 80, SYN), to: string = outside[f], from: string = node[f]) =>
  ({ program: "to_wire", frame: frame(from, to, t, MACS) }) as const;

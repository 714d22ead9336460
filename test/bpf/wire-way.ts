/** What the cases of to_wire and from_wire share: families, MACs of the wire, a packet on its way out. */

import { frame, type Transport } from "./frames.ts";
import { NODE } from "./node.ts";
import type { Plane } from "./plane.ts";

const { podA, outside } = NODE;
export const bothFamilies = ["v4", "v6"] as const;
export type Word = (typeof bothFamilies)[number];
export const familyOf = (f: Word) => (f === "v4" ? 4 : 6);
export const MACS = { srcMac: "02:00:00:00:00:01", dstMac: "02:00:00:00:00:02" };
/** The port that tests fix by making the range hold one. */
export const PORT = 20_000;
export const onePort = (plane: Plane) => plane.putConfig({ natPortMin: PORT, natPortMax: PORT });

/** The pod's packet passes from_pod, which judges it and begins its flow. */
export function sent(plane: Plane, f: Word, t: Transport, o = {}) {
  return plane.run("from_pod", frame(podA[f], outside[f], t, o));
}

/** The pod's packet passes from_pod and then to_wire, as in life; the answer is what left. */
export function out(plane: Plane, f: Word, t: Transport, o = {}) {
  onePort(plane);
  sent(plane, f, t, o);
  return plane.run("to_wire", frame(podA[f], outside[f], t, { ...MACS, ...o }));
}

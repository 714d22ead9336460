/** What an agent has done to announce addresses of load balancers, since its start. */

/** How it came to answer for an address, or not to any more. */
export type AnnounceChange =
  /** It was the first in order. */
  | "taken"
  /** The nodes before it were silent. */
  | "taken_over"
  /** Another node answers. */
  | "given_back"
  /** The address, or the node's part in it, is gone. */
  | "withdrawn";

/** Frames that were sent, by what they say; `unsent`: of any kind, that the device did not take. */
export type AnnounceFrame =
  /** Gratuitous ARP. */
  | "arp_announcement"
  /** Unsolicited neighbour advertisement. */
  | "nd_announcement"
  | "arp_answer"
  | "nd_answer"
  /** Of who stands by: is anybody there? */
  | "arp_probe"
  | "nd_probe"
  | "unsent";

/** See the file's comment. */
export interface AnnounceCounts {
  /** Addresses that this node answers for now. */
  readonly held: number;
  /** Addresses that it answers for when others are silent. */
  readonly standby: number;
  readonly changes: Readonly<Record<AnnounceChange, number>>;
  readonly frames: Readonly<Record<AnnounceFrame, number>>;
}

/** Of an agent that has just started. */
export const NO_ANNOUNCEMENTS: AnnounceCounts = {
  held: 0,
  standby: 0,
  changes: { taken: 0, taken_over: 0, given_back: 0, withdrawn: 0 },
  frames: {
    arp_announcement: 0,
    nd_announcement: 0,
    arp_answer: 0,
    nd_answer: 0,
    arp_probe: 0,
    nd_probe: 0,
    unsent: 0,
  },
};

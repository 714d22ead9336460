/** Tells that devices or addresses of a namespace changed, so that nobody has to look at them all the time. */

import { NETLINK_ROUTE } from "../../net/netlink/constants.ts";
import { loadAddon } from "./addon.ts";
import { attempt, isKernelError } from "./failure.ts";

/** RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (linux/rtnetlink.h). Routes may be many and change all the time. */
const GROUPS = 0x1 | 0x10 | 0x100;
const READABLE = 1;
/** Messages that are thrown away at one wake-up: a storm must not keep the loop. */
const MAX_READS = 256;

/**
 * Calls the listener after every change in the namespace of the calling thread; what changed is not said. Changes that
 * the kernel could not queue are told as well.
 * @param listener must be cheap and must not throw
 */
export function watchDevices(listener: () => void): Disposable {
  const addon = loadAddon();
  const fd = attempt("listen to changes of devices", () => addon.netlinkOpen(undefined, NETLINK_ROUTE, GROUPS));
  const drain = () => {
    for (let i = 0; i < MAX_READS; i++) {
      try {
        if (attempt("read changes of devices", () => addon.netlinkReceive(fd, false)) === undefined) return;
      } catch (error) {
        // ENOBUFS: more came than was read. Somebody looks at everything anyway.
        if (!isKernelError(error, "ENOBUFS")) return;
      }
    }
  };
  const poll = addon.pollStart(fd, READABLE, () => {
    drain();
    listener();
  });
  return {
    [Symbol.dispose]() {
      addon.pollStop(poll);
      addon.close(fd);
    },
  };
}

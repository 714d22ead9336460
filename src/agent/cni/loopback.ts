/** The `loopback` plugin, which some runtimes call for every sandbox: `lo` up, and its addresses as a result. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import { EMPTY_RESULT } from "../../cni/merge.ts";
import type { CniRequest } from "../../cni/request.ts";
import type { CniResult } from "../../cni/result.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { addr } from "../../net/addr.ts";
import { cniErrorOf, isGone } from "./failure.ts";

const ADDRS = [
  { addr: addr("127.0.0.1"), length: 8 },
  { addr: addr("::1"), length: 128 },
] as const;

function failure(request: CniRequest, error: unknown): CniError {
  const subject = `set loopback up in "${request.netns}"`;
  if (!isGone(error)) return cniErrorOf(subject, error);
  return cniError(CNI_CODE.containerUnknown, `Cannot ${subject}: the network namespace does not exist`);
}

/** Sets `lo` up. A previous result is passed on as it is. */
export function attachLoopback(kernel: Kernel, request: CniRequest): Result<CniResult, CniError> {
  try {
    kernel.setLoopbackUp(request.netns);
  } catch (error) {
    return err(failure(request, error));
  }
  if (request.prevResult !== undefined) return ok(request.prevResult);
  const lo = {
    // Whatever the runtime calls the sandbox's interface.
    name: "lo",
    mac: "00:00:00:00:00:00",
    sandbox: request.netns,
    mtuBytes: undefined,
    socketPath: undefined,
    pciId: undefined,
  };
  const ips = ADDRS.map((address) => ({ address, gateway: undefined, interfaceIndex: 0 }));
  return ok({ ...EMPTY_RESULT, interfaces: [lo], ips });
}

/** Whether `lo` is up. */
export function checkLoopback(kernel: Kernel, request: CniRequest): Result<undefined, CniError> {
  try {
    if (kernel.inspectPodLink(request.netns, "lo")?.isUp === true) return ok(undefined);
  } catch (error) {
    return err(failure(request, error));
  }
  return err(cniError(CNI_CODE.checkFailed, `Interface "lo" is down in "${request.netns}"`));
}

/** ADD: from a request to an open link, intent first, everything rolled back when a step fails. */

import { err, ok, type Result } from "../../base/result.ts";
import { CNI_CODE, type CniError, cniError } from "../../cni/error.ts";
import { mergeResults } from "../../cni/merge.ts";
import type { CniRequest } from "../../cni/request.ts";
import type { CniResult } from "../../cni/result.ts";
import { allocate } from "../../ipam/allocate.ts";
import { KernelError, type PodLink } from "../../kernel/kernel.ts";
import type { NewEndpoint } from "../../ledger/ledger.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { familyBits } from "../../net/addr.ts";
import { ENDPOINTS_MAP, endpointAttachment, endpointMapRows } from "../../plan/endpoint.ts";
import { HOST_PORTS_MAP } from "../../plan/host-ports.ts";
import { GATEWAY_MAC } from "../../plan/names.ts";
import type { EndpointClasses } from "../../policy/table.ts";
import { putEndpointRows } from "../endpoint-map.ts";
import { putHostPorts } from "../host-port-map.ts";
import { cniErrorOf, cniErrorOfIpam } from "./failure.ts";
import { defaultRoute, gatewayOf } from "./gateway.ts";
import { isAlive } from "./generation.ts";
import { hostIfname } from "./host-ifname.ts";
import { freePorts, portProblem } from "./host-ports.ts";
import { noteOf } from "./link-note.ts";
import type { NodeContext, NodeSettings } from "./node-context.ts";
import { putShaper } from "./shaper.ts";
import { runAll, tearDown } from "./teardown.ts";

const IPV6_MIN_MTU = 1280;

type Attached = Result<CniResult, CniError>;

function subject(request: CniRequest): string {
  return `attach "${request.ifname}" of container "${request.containerId}"`;
}

/** Checks that need nothing but a look. */
function findNamespace(ctx: NodeContext, request: CniRequest): Result<string, CniError> {
  const netnsId = ctx.kernel.netnsId(request.netns);
  if (netnsId === undefined) {
    const msg = `Cannot ${subject(request)}: network namespace "${request.netns}" does not exist`;
    return err(cniError(CNI_CODE.containerUnknown, msg));
  }
  if (netnsId === ctx.kernel.netnsId("/proc/self/ns/net")) {
    const msg = `Cannot ${subject(request)}: CNI_NETNS "${request.netns}" is the node's own network namespace`;
    return err(cniError(CNI_CODE.invalidEnvironment, msg));
  }
  const problems = ctx.problems().map((p) => p.reason);
  if (problems.length === 0) return ok(netnsId);
  const msg = `Cannot ${subject(request)} yet: ${problems.join("; ")}`;
  return err(cniError(CNI_CODE.tryAgainLater, msg));
}

/** A link below IPv6's least MTU takes no IPv6 address (RFC 8200, section 5). */
function mtuProblem(request: CniRequest, settings: NodeSettings): CniError | undefined {
  const { mtuBytes } = request;
  if (mtuBytes === undefined || mtuBytes >= IPV6_MIN_MTU) return undefined;
  if (!settings.pools.some((p) => p.prefix.family === 6)) return undefined;
  const msg = `Cannot ${subject(request)}: mtu ${mtuBytes} is less than ${IPV6_MIN_MTU}, and pods have IPv6 addresses here`;
  return cniError(CNI_CODE.invalidConfig, msg);
}

function interfaceExists(request: CniRequest, why: string): CniError {
  return cniError(CNI_CODE.interfaceExists, `Cannot ${subject(request)}: ${why}; DEL would remove it`);
}

/** A container may come back with a new namespace: what an older generation left is removed, what lives is not. */
function clearOlder(ctx: NodeContext, request: CniRequest, netnsId: string): CniError | undefined {
  const older = ctx.ledger.find(request.containerId, request.ifname);
  if (older === undefined) return undefined;
  const isOwn = ctx.isRepeated === true && older.netnsId === netnsId;
  if (older.state === "ready" && !isOwn && isAlive(ctx.kernel, older))
    return interfaceExists(request, `it is attached as endpoint ${older.id} in "${older.netnsPath}"`);
  const failures = tearDown(ctx, older);
  if (failures.length === 0) return undefined;
  const msg = `Cannot ${subject(request)}: endpoint ${older.id} of the same name could not be removed`;
  return cniError(CNI_CODE.incomplete, msg, failures.join("\n"));
}

function newEndpoint(ctx: NodeContext, request: CniRequest, netnsId: string, settings: NodeSettings): NewEndpoint {
  return {
    network: request.network,
    containerId: request.containerId,
    ifname: request.ifname,
    netnsPath: request.netns,
    netnsId,
    hostIfname: hostIfname(request.containerId, request.ifname),
    mac: request.mac ?? ctx.newMac(),
    mtuBytes: request.mtuBytes ?? settings.mtuBytes,
    download: request.download,
    upload: request.upload,
    hostPorts: freePorts(ctx, request),
    podNamespace: request.pod.namespace,
    podName: request.pod.name,
    podUid: request.pod.uid,
    createdAtMs: ctx.nowMs(),
  };
}

function createLink(ctx: NodeContext, e: Endpoint): PodLink {
  const spec = {
    netns: e.netnsPath,
    ifname: e.ifname,
    mac: e.mac,
    hostIfname: e.hostIfname,
    hostMac: GATEWAY_MAC,
    mtuBytes: e.mtuBytes,
    addrs: e.addrs,
    gateways: e.addrs.map((a) => gatewayOf(a.family)),
  };
  try {
    return ctx.kernel.createPodLink(spec);
  } catch (error) {
    const isTaken = error instanceof KernelError && error.code === "EEXIST";
    if (!isTaken || ctx.kernel.inspectPodLink(e.netnsPath, e.ifname) !== undefined) throw error;
    // The pod has no such interface: it is the host end of one that no ledger remembers.
    if (ctx.ledger.endpoints().some((other) => other.id !== e.id && other.hostIfname === e.hostIfname)) throw error;
    ctx.kernel.deleteLink(e.hostIfname);
    return ctx.kernel.createPodLink(spec);
  }
}

/** The steps in the order that keeps the link closed until all of it is there. */
function build(ctx: NodeContext, e: Endpoint, classes: EndpointClasses): void {
  const link = createLink(ctx, e);
  ctx.kernel.putAttachment(endpointAttachment(e));
  const entryIfindex = putShaper(ctx.kernel, e, link.hostIfindex) ?? link.hostIfindex;
  putEndpointRows(ctx.kernel, endpointMapRows(e, entryIfindex, classes));
  putHostPorts(ctx.kernel, e);
  ctx.kernel.openPodLink(e.hostIfname, { netns: e.netnsPath, ifname: e.ifname }, noteOf(e));
  ctx.ledger.commit(e.id, link.hostIfindex, entryIfindex);
}

/** What policy says of the pod is not known: it stays closed. */
class NotAdmitted extends Error {}

function buildFailure(request: CniRequest, error: unknown): CniError {
  if (error instanceof NotAdmitted)
    return cniError(CNI_CODE.tryAgainLater, `Cannot ${subject(request)} yet: ${error.message}`);
  if (error instanceof KernelError && error.code === "EEXIST")
    return interfaceExists(request, `an interface "${request.ifname}" exists in "${request.netns}"`);
  if (error instanceof KernelError && error.code === "E2BIG") {
    const map = error.message.includes(`"${HOST_PORTS_MAP}"`) ? HOST_PORTS_MAP : ENDPOINTS_MAP;
    const hint = `map "${map}" is full: a larger maps.${map} in the configuration would help`;
    return cniError(CNI_CODE.internal, `Cannot ${subject(request)}: ${hint}`, error.message);
  }
  return cniErrorOf(subject(request), error);
}

/** The result of this plugin alone. */
function resultOf(e: Endpoint, request: CniRequest): CniResult {
  const common = { mtuBytes: e.mtuBytes, socketPath: undefined, pciId: undefined };
  return {
    interfaces: [
      { ...common, name: e.hostIfname, mac: GATEWAY_MAC, sandbox: undefined },
      { ...common, name: e.ifname, mac: e.mac, sandbox: e.netnsPath },
    ],
    ips: e.addrs.map((addr) => ({
      address: { addr, length: familyBits(addr.family) },
      gateway: gatewayOf(addr.family),
      interfaceIndex: 1,
    })),
    routes: e.addrs.map((a) => defaultRoute(a.family)),
    dns: request.dns,
  };
}

function attachLocked(ctx: NodeContext, request: CniRequest): Attached {
  const netnsId = findNamespace(ctx, request);
  if (!netnsId.ok) return netnsId;
  const refused = clearOlder(ctx, request, netnsId.value);
  if (refused !== undefined) return err(refused);
  const conflict = portProblem(ctx, request, subject(request));
  if (conflict !== undefined) return err(conflict);
  const settings = ctx.settings();
  const tooSmall = mtuProblem(request, settings);
  if (tooSmall !== undefined) return err(tooSmall);
  const wanted = { pools: settings.pools, statics: request.staticAddrs, rangeSets: request.rangeSets };
  const begun = ctx.ledger.begin(newEndpoint(ctx, request, netnsId.value, settings), (occupancy) =>
    allocate(wanted, occupancy),
  );
  if (!begun.ok) return err(cniErrorOfIpam(begun.error));
  try {
    const classes = ctx.policy.admit(begun.value);
    if (!classes.ok) throw new NotAdmitted(classes.error);
    build(ctx, begun.value, classes.value);
  } catch (error) {
    const failure = buildFailure(request, error);
    const left = runAll([
      () => {
        const failures = tearDown(ctx, begun.value);
        if (failures.length > 0) throw new Error(failures.join("\n"));
      },
    ]);
    if (left.length === 0) return err(failure);
    return err({
      ...failure,
      details: `${failure.details}\nRolling back failed, a sweep will do it: ${left.join("\n")}`,
    });
  }
  return ok(mergeResults(request.prevResult, resultOf(begun.value, request)));
}

/**
 * Attaches one interface; returns the CNI result in its newest form, put behind the request's `prevResult`.
 * The link is closed until the last step, so that nothing passes before all of the node's decisions are in the kernel.
 * @throws LedgerError when the ledger itself fails
 */
export function attach(ctx: NodeContext, request: CniRequest): Attached {
  return ctx.ledger.exclusive(() => attachLocked(ctx, request));
}

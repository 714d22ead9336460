/**
 * The composition root of an agent: makes every part, starts them in order, ends them in reverse. What stands in the
 * kernel stays when the agent ends: the next one adopts it, by the same path that mends a crash or an upgrade.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../base/version.ts";
import { openClusterSource, type SourceChoice } from "../cluster/open-source.ts";
import type { ClusterSource } from "../cluster/source.ts";
import { TABLE_NAMES } from "../cluster/tables.ts";
import type { ClusterPool } from "../ipam/carve.ts";
import { carvingPools, settlePools } from "../ipam/node-pools.ts";
import { mountBpffs } from "../kernel/linux/bpffs.ts";
import { watchDevices } from "../kernel/linux/device-watch.ts";
import { AnnounceControl } from "./announce/announce-control.ts";
import { CallStats } from "./call-stats.ts";
import { ClusterMemory } from "./cluster-memory.ts";
import { CniDoor } from "./cni/door.ts";
import { handleCall } from "./cni/handler.ts";
import { readOfflineSettings } from "./cni/offline-files.ts";
import { Slices } from "./compare/slices.ts";
import type { AgentConfig } from "./config/config.ts";
import { RUN_FILES } from "./config/default-paths.ts";
import { ConfigFollower } from "./config/follow.ts";
import type { Learned } from "./config/learn.ts";
import type { LiveConfig } from "./config/live-config.ts";
import { EventWatch } from "./events/event-watch.ts";
import { startSweeping } from "./gc/sweep-timer.ts";
import { Sweeper } from "./gc/sweeper.ts";
import { Installation } from "./installation.ts";
import { createLoadBalancerObjects } from "./leader/load-balancer-objects.ts";
import { type Log, openLog } from "./log.ts";
import { Loop } from "./loop.ts";
import { MemoryTimer } from "./memory-keeper.ts";
import { newMac } from "./new-mac.ts";
import { type AgentParts, NodeAgent } from "./node-agent.ts";
import { NodeObject } from "./node-object.ts";
import { openNodeKernel, openNodeLedger } from "./open-node.ts";
import { Pace } from "./pace.ts";
import { PendingPods, podIsKnown } from "./policy/pod-is-known.ts";
import { nodePools } from "./pool-cidrs.ts";
import { objectFile } from "./program-object.ts";
import { messageOf } from "./reconcile/failures.ts";
import { openServers, type Served } from "./servers.ts";
import { createWhenReady } from "./when-ready.ts";

const USER_AGENT = `twill/${VERSION}`;

/** After a change of devices: pods come with several, and an attachment has written its own rows already. */
const DEVICE_CHANGE_MS = 800;

/** Until a firewall that begins to follow connections is taken note of. */
const NODE_LOOK_MS = 1_000;

interface Started extends Served {
  readonly loop: Loop;
}

function tellLearned(log: Log, { from, differences, failure }: Learned): void {
  if (failure !== undefined)
    log.warn({ failure }, "cannot ask the cluster about its network and configuration: as remembered, else by default");
  if (from !== undefined)
    log.info({ from }, "the network is as the cluster says, where the configuration says nothing");
  if (differences.length > 0) log.warn({ from, differences }, "not everything is done as the cluster says");
}

/** Serves the plugin. An attachment writes its own rows; the loop need not hurry after it. */
function makeCniDoor(
  parts: AgentParts,
  agent: NodeAgent,
  calls: CallStats,
  waiting: PendingPods,
  memory: MemoryTimer,
): CniDoor {
  const { log, config } = parts;
  const context = agent.context();
  return new CniDoor({
    path: join(config.paths.run, RUN_FILES.cni),
    handle: async (request) => {
      memory.note();
      await podIsKnown(request, parts.source, parts.config, waiting);
      return handleCall(() => context, request);
    },
    onCall: ({ command, containerId, ifname, code, msg, details }, durationMs) => {
      memory.note();
      calls.note(command, code, durationMs);
      const fields = { command, containerId, ifname, durationMs: Math.round(durationMs * 100) / 100 };
      if (code === 0) log.debug(fields, "served the plugin");
      else log.warn({ ...fields, code, failure: msg, details }, "refused the plugin");
    },
  });
}

function makeLoop(stack: AsyncDisposableStack, agent: NodeAgent, parts: AgentParts, afterRun: () => void): Loop {
  const slices = stack.use(new Slices((isTime) => agent.compare(isTime)));
  return new Loop(() => {
    const nextMs = agent.run();
    afterRun();
    if (agent.isComparing) slices.begin();
    return { inMs: nextMs - parts.nowMs() };
  });
}

function makeParts(stack: AsyncDisposableStack, live: LiveConfig, log: Log, source: ClusterSource): AgentParts {
  const { config } = live;
  mkdirSync(config.paths.run, { recursive: true, mode: 0o700 });
  mountBpffs(config.paths.bpffs);
  return {
    // As it is when it is asked for.
    get config() {
      return live.config;
    },
    kernel: stack.use(openNodeKernel(config.paths.pins)),
    ledger: stack.use(openNodeLedger(config.paths.run, config.ipam.coolDownMs)),
    source,
    memory: new ClusterMemory(join(config.paths.run, RUN_FILES.nodes)),
    log,
    openClassesBefore: readOfflineSettings(config.paths.run)?.openClasses,
    nowMs: Date.now,
    newMac,
  };
}

/** Between two looks at what has changed: a change that comes behind others waits so long, and many are followed as one. */
const CHANGES_GAP_MS = 10;

/** Nothing tells that a firewall has begun to follow connections, or that pods came with host ports. */
function watchNode(agent: NodeAgent, loop: Loop): Disposable {
  const look = () => (agent.hasNewFirewall() || agent.hostPorts.hasNews()) && loop.request();
  const timer = setInterval(look, NODE_LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** What the node answers for services beside the data plane. */
function openAnnounce(
  stack: AsyncDisposableStack,
  parts: AgentParts,
  live: LiveConfig,
  agent: NodeAgent,
): AnnounceControl {
  stack.use(agent.services);
  const announce = new AnnounceControl({
    ...parts,
    self: parts.config.nodeName,
    isEnabled: () => live.config.services.isEnabled && live.config.services.isAnnounced,
    objects: () => agent.services.engine?.objects,
    underlay: () => agent.plan?.underlay,
  });
  return stack.use(announce);
}

/** What a change of the cluster's objects calls for. @param setLevel of the log */
function takeChanges(
  { parts, live, agent, loop, object, announce }: Started,
  setLevel: (level: string) => void,
  memory: MemoryTimer,
) {
  const configuration = new ConfigFollower({ ...parts, live });
  return () => {
    memory.note();
    // First: everything else follows from it, too.
    const isConfigured = configuration.look();
    if (isConfigured) setLevel(live.config.logLevel);
    object.see();
    const hasMore = isConfigured || agent.hasNews() || agent.policy.isWanting() || !agent.policy.apply();
    if (!agent.applyServices() || hasMore) loop.request();
    announce.update();
  };
}

/**
 * Runs an agent until the signal falls; resolves when everything that it started has ended.
 * @param live followed while the agent runs
 * @param learned what of the configuration is the cluster's word
 * @throws Error when it cannot start: another agent is running, the ledger is damaged, an address is taken
 */
export async function runAgent(live: LiveConfig, signal: AbortSignal, learned?: Learned): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { config } = live;
  const { log, flush, setLevel } = openLog(config.logLevel, config.nodeName);
  stack.defer(flush);
  const source = await openClusterSource(sourceChoice(config), {
    userAgent: USER_AGENT,
    tables: TABLE_NAMES,
    onFailure: (error, subject) => log.warn({ subject, failure: messageOf(error) }, "cannot follow the cluster"),
  });
  const programs = readFileSync(objectFile());
  // Above this line everything is read, below it everything acts.
  log.info({ version: VERSION, pid: process.pid, source: source.description }, "starting");
  if (learned !== undefined) tellLearned(log, learned);
  const parts = makeParts(stack, live, log, source);
  const agent = new NodeAgent(parts);
  const ending = new AbortController();
  const calls = new CallStats();
  const waiting = new PendingPods();
  const memory = stack.use(new MemoryTimer(log));
  const cni = makeCniDoor(parts, agent, calls, waiting, memory);
  const installation = new Installation(parts);
  const whenReady = createWhenReady(parts, agent, installation, () => {
    cni.open().catch((error: unknown) => log.error({ failure: messageOf(error) }, "cannot serve the plugin"));
  });
  const events = stack.use(
    new EventWatch({ ...parts, names: agent.names, monotonicNs: () => process.hrtime.bigint() }),
  );
  const object = new NodeObject(parts, live, agent);
  const announce = openAnnounce(stack, parts, live, agent);
  const afterRun = () => {
    announce.update();
    events.use(agent.programs);
    // Before the cluster is known there is nothing to give back; once the agent is ready, somebody may wait for it.
    if (agent.policy.engine !== undefined) memory.begin();
    whenReady();
    object.look();
  };
  const loop = makeLoop(stack, agent, parts, afterRun);
  const sweeper = new Sweeper(parts.kernel);
  const started: Started = {
    live,
    parts,
    agent,
    loop,
    sweeper,
    calls,
    installation,
    object,
    events,
    waiting,
    announce,
    afterRun,
    startedAtMs: parts.nowMs(),
    learned,
  };
  agent.loadPrograms(programs);
  stack.defer(() => log.info({}, "ended; the data plane stays"));
  stack.use(cni);
  await cni.openUnlessServed();
  await openServers(stack, started, cni);
  const following = Promise.all([
    source.run(ending.signal),
    leading(started, ending.signal),
    object.run(ending.signal).then(() => fallen(ending.signal)),
  ]);
  // Its failure ends the agent below; here only its end is waited for.
  stack.defer(() => following.then(() => undefined).catch(() => undefined));
  stack.defer(() => ending.abort());
  const changes = stack.use(new Pace(takeChanges(started, setLevel, memory), CHANGES_GAP_MS));
  stack.defer(source.onChange(() => changes.request()));
  stack.use(watchDevices(() => loop.request(DEVICE_CHANGE_MS)));
  stack.use(watchNode(agent, loop));
  stack.defer(startSweeping(sweeper, () => agent.programs !== undefined, log));
  stack.defer(() => loop.stop());
  loop.request();
  await Promise.race([fallen(signal), following]);
  log.info({}, "ending");
}

/** What nodes' CIDRs are carved from now. */
function carvingNow({ source, config }: AgentParts): readonly ClusterPool[] {
  const settled = settlePools(nodePools(source.snapshot().tables));
  return carvingPools(settled, config.clusterPools, config.nodeLengths);
}

/** What this agent does for all nodes, while it is the one that does. */
async function leading({ agent, parts }: Started, signal: AbortSignal): Promise<void> {
  const { log, source, config } = parts;
  if (config.cluster.kind !== "kube") return;
  const { startLoadBalancer, startNodeCidrs, startStatus } = await import("./leader/start.ts");
  const { wantedStatus } = await import("./leader/wanted-status.ts");
  const policies = () => (parts.config.policy.writesStatus ? agent.policy.wantedConditions() : undefined);
  const wanted = wantedStatus({ source, policies, settings: () => parts.config });
  await Promise.all([
    startNodeCidrs(
      config,
      USER_AGENT,
      {
        log,
        pools: () => carvingNow(parts),
        isNeeded: () => parts.config.givesNodeCidrs && source.isSynced() && agent.hasBareNodes(),
      },
      signal,
    ),
    startStatus(config, USER_AGENT, { log, reports: source.reports, wanted }, signal),
    startLoadBalancer(
      config,
      USER_AGENT,
      { log, objects: createLoadBalancerObjects(source, () => parts.config.services.isEnabled) },
      signal,
    ),
  ]);
}

function sourceChoice({ cluster, kubeconfig, apiServer, tlsServerName }: AgentConfig): SourceChoice {
  return cluster.kind === "dir" ? cluster : { kind: "kube", kubeconfig, apiServer, tlsServerName };
}

function fallen(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

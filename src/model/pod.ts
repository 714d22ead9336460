/** Pods, as far as networking is concerned (Kubernetes `v1` Pod). */

import { exact } from "../base/exact.ts";
import { hash32 } from "../base/hash.ts";
import type { Issue } from "../base/issue.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Addr, parseAddr } from "../net/addr.ts";
import type { Interner, Labels } from "./intern.ts";
import { type Reader, readObject } from "./read.ts";

const PHASES = ["Pending", "Running", "Succeeded", "Failed", "Unknown"] as const;
const PROTOCOLS = ["TCP", "UDP", "SCTP"] as const;

/** Where a pod is in its life. */
export type PodPhase = (typeof PHASES)[number];

/** Layer 4 protocols of Kubernetes' port lists. */
export type PortProtocol = (typeof PROTOCOLS)[number];

/** A port that a container declares. */
export interface PodPort {
  /** `""` where none is given. */
  readonly name: string;
  /** 1 … 65535. */
  readonly port: number;
  readonly protocol: PortProtocol;
}

/** A pod. `namespace/name` is its key, see {@link podKey}. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** Of its uid: see {@link uidHash}. 0: it has none. */
  readonly uid: number;
  /** undefined: not scheduled yet. */
  readonly nodeName: string | undefined;
  /** Empty until the network plugin has answered. For a host-network pod these are the node's addresses. */
  readonly podIps: readonly Addr[];
  readonly isHostNetwork: boolean;
  readonly phase: PodPhase;
  readonly labels: Labels;
  /** `default` where none is given. */
  readonly serviceAccount: string;
  /** Ports of all containers and of init containers that keep running, in their order. */
  readonly ports: readonly PodPort[];
}

/**
 * 32 bits of a uid, with a sign, which tell a pod from another of the same name. Nobody asks for more, and of 30,000 pods the texts are
 * two megabytes.
 */
export function uidHash(uid: string): number {
  return uid === "" ? 0 : hash32(uid) | 0;
}

/** Key of a pod in tables. */
export function podKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** Whether the addresses are the pod's own to use: not shared with the node, and not given back after its end. */
export function hasOwnAddresses(pod: Pod): boolean {
  return !pod.isHostNetwork && pod.podIps.length > 0 && pod.phase !== "Succeeded" && pod.phase !== "Failed";
}

function oneOf<T extends string>(reader: Reader, key: string, allowed: readonly T[], otherwise: T): T {
  const v = reader.string(key) ?? "";
  if (v === "") return otherwise;
  const hit = allowed.find((a) => a === v);
  if (hit === undefined) reader.issue(key, `"${v.slice(0, 64)}" is not one of ${allowed.join(", ")}`);
  return hit ?? otherwise;
}

function readPodIps(status: Reader | undefined): Addr[] {
  if (status === undefined) return [];
  const many = status.objects("podIPs").map((o) => ({ at: o, key: "ip", text: o.string("ip") ?? "" }));
  const one = { at: status, key: "podIP", text: status.string("podIP") ?? "" };
  const out: Addr[] = [];
  for (const { at, key, text } of many.length > 0 ? many : [one]) {
    if (text === "") continue;
    const a = parseAddr(text);
    if (a.ok) out.push(a.value);
    else at.issue(key, a.error);
  }
  return exact(out);
}

function readPorts(spec: Reader | undefined, interner: Interner): readonly PodPort[] {
  const out: PodPort[] = [];
  const sidecars = (spec?.objects("initContainers") ?? []).filter((c) => c.string("restartPolicy") === "Always");
  for (const container of [...sidecars, ...(spec?.objects("containers") ?? [])]) {
    for (const p of container.objects("ports")) {
      const port = p.integer("containerPort", 1, 65535);
      if (port === undefined && !p.has("containerPort")) p.issue("containerPort", "A value is required");
      const name = interner.string(p.string("name") ?? "");
      const protocol = oneOf(p, "protocol", PROTOCOLS, "TCP");
      if (port !== undefined) out.push({ name, port, protocol });
    }
  }
  return interner.share(`ports ${JSON.stringify(out)}`, () => exact(out));
}

/** Reads a `v1` Pod. Refused with all issues when a field that is used has a wrong value. */
export function parsePod(value: unknown, interner: Interner): Result<Pod, readonly Issue[]> {
  const issues: Issue[] = [];
  const root = readObject(value, issues);
  const metadata = root.object("metadata");
  if (metadata === undefined) return err([...issues, { path: "metadata", message: "A value is required" }]);
  const spec = root.object("spec");
  const status = root.object("status");
  const nodeName = spec?.string("nodeName") ?? "";
  const serviceAccount = spec?.string("serviceAccountName") || spec?.string("serviceAccount") || "default";
  const pod: Pod = {
    namespace: interner.string(metadata.string("namespace") || "default"),
    name: metadata.requiredString("name"),
    uid: uidHash(metadata.string("uid") ?? ""),
    nodeName: nodeName === "" ? undefined : interner.string(nodeName),
    podIps: readPodIps(status),
    isHostNetwork: spec?.boolean("hostNetwork") ?? false,
    phase: status === undefined ? "Pending" : oneOf(status, "phase", PHASES, "Pending"),
    labels: metadata.labels("labels", interner),
    serviceAccount: interner.string(serviceAccount),
    ports: readPorts(spec, interner),
  };
  return issues.length > 0 ? err(issues) : ok(Object.freeze(pod));
}

/** Objects of Calico in one line each, for tests that ask what they mean: the translated rules, and the literal evaluator beside them. */

import { unwrap } from "../../base/result.ts";
import { createInterner } from "../../model/intern.ts";
import {
  type CalicoNetworkSet,
  type CalicoTier,
  parseCalicoTier,
  parseGlobalNetworkSet,
  parseNetworkSet,
} from "../../model/policy/calico-objects.ts";
import {
  type CalicoPolicy,
  parseCalicoNetworkPolicy,
  parseGlobalNetworkPolicy,
  parseStagedGlobalNetworkPolicy,
} from "../../model/policy/calico-policy.ts";
import { parseNetworkPolicy } from "../../model/policy/network-policy.ts";
import { addr } from "../../net/addr.ts";
import { translateCalicoPolicy, translateCalicoTier } from "../dialects/calico.ts";
import { calicoViews } from "../dialects/calico-labels.ts";
import type { CalicoContext } from "../dialects/calico-match.ts";
import { translateNetworkPolicy } from "../dialects/kubernetes.ts";
import type { LiteralCalico } from "../literal/calico.ts";
import { decide } from "../literal/decide.ts";
import type { LiteralCluster } from "../literal/flow.ts";
import { dialects } from "../literal/tiers.ts";
import type { Direction, Policy } from "../rule.ts";
import { type Answer, ask, at, trafficOf, WORLD } from "./dialect-world.ts";

export const interner = createInterner();
export const meta = (name: string, labels: object = {}) => ({ name, namespace: "shop", labels });

export const np = (name: string, spec: object) =>
  unwrap(parseCalicoNetworkPolicy({ metadata: meta(name), spec }, interner));
export const gnp = (name: string, spec: object) =>
  unwrap(parseGlobalNetworkPolicy({ metadata: meta(name), spec }, interner));
export const staged = (name: string, spec: object) =>
  unwrap(parseStagedGlobalNetworkPolicy({ metadata: meta(name), spec }, interner));
export const knp = (name: string, spec: object) => unwrap(parseNetworkPolicy({ metadata: meta(name), spec }, interner));
export const tier = (name: string, spec: object) => unwrap(parseCalicoTier({ metadata: { name }, spec }, interner));
export const set = (name: string, labels: object, nets: string[], isGlobal = true) =>
  unwrap(
    (isGlobal ? parseGlobalNetworkSet : parseNetworkSet)({ metadata: meta(name, labels), spec: { nets } }, interner),
  );

const BACKENDS = [
  { addr: addr("10.244.1.11"), protocol: 6, port: 80 },
  { addr: addr("10.244.1.20"), protocol: 6, port: 8080 },
];
export const backends = (namespace: string, name: string) => (namespace === "shop" && name === "api" ? BACKENDS : []);
const accounts = (_namespace: string, name: string) => new Map([["role", name === "db-account" ? "store" : "front"]]);
const views = calicoViews([], accounts);

export interface Setting {
  readonly calico?: readonly CalicoPolicy[];
  readonly kubernetes?: readonly ReturnType<typeof knp>[];
  readonly tiers?: readonly CalicoTier[];
  readonly sets?: readonly CalicoNetworkSet[];
  readonly extra?: readonly Policy[];
}

/** Asks the translated rules, and holds the literal evaluator against them. @throws Error where these disagree */
export function answer(s: Setting, line: string, withStaged = false): Answer {
  const [of = "", arrow, peer = "", traffic = ""] = line.split(" ");
  const direction: Direction = arrow === "<-" ? "ingress" : "egress";
  const context: CalicoContext = {
    networkSets: s.sets ?? [],
    namespaceLabels: (n) => WORLD.namespaces.find((x) => x.name === n)?.labels ?? new Map(),
    backends,
  };
  const policies = [
    ...(s.calico ?? []).flatMap((p) => translateCalicoPolicy(p, context)),
    ...(s.kubernetes ?? []).map(translateNetworkPolicy),
    ...(s.extra ?? []),
  ];
  const tiers = (s.tiers ?? []).map(translateCalicoTier);
  const got = ask(policies, { of, direction, peer, traffic, withStaged }, views, tiers);
  if (s.extra !== undefined || withStaged) return got;
  const cluster: LiteralCluster = { ...WORLD, networkPolicies: s.kubernetes ?? [], clusterPolicies: [] };
  const calico: LiteralCalico = { networkSets: s.sets ?? [], serviceAccountLabels: accounts, backends };
  const [from, to] = direction === "ingress" ? [at(peer), at(of)] : [at(of), at(peer)];
  const others = dialects({
    cluster,
    tiers: s.tiers ?? [],
    policies: s.calico ?? [],
    calico,
    cilium: () => ({ isolates: false, says: undefined }),
  });
  const literal = decide(cluster, { from, to, ...trafficOf(traffic) }, others);
  if (literal[direction] !== got.isAllowed) throw new Error(`"${line}": the literal evaluator disagrees (${got.by})`);
  return got;
}

export const allowAll = { action: "Allow" };

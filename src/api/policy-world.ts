/** A cluster that programs ask about policy: the engine that programs the kernel, without a kernel. */

import { AssertionError } from "node:assert";
import { type FileContent, readFileContent, readValues } from "../cluster/directory/read-file.ts";
import { type ReadFile, type Refusal, readFiles, readPaths } from "../cluster/directory/read-once.ts";
import { type FileWorld, worldOfFiles } from "../cluster/directory/world-of-files.ts";
import { createInterner } from "../model/intern.ts";
import { checkAssertion, holds } from "../policy/ask/assertions.ts";
import { findEnd } from "../policy/ask/ends.ts";
import { explainFlow, type FlowExplanation } from "../policy/ask/explain-flow.ts";
import { explainText, NO_PAINT } from "../policy/ask/explain-text.ts";
import { type PolicyMatrix, policyMatrix } from "../policy/ask/matrix.ts";
import { type NotEnforced, notEnforced } from "../policy/ask/not-enforced.ts";
import { parseTraffic, parseTraffics } from "../policy/ask/traffic-text.ts";
import type { Explanation } from "../policy/explain.ts";
import type { PolicyMode } from "../policy/from-objects.ts";
import type { KubernetesObject } from "./builders.ts";

/** Objects that a cluster would not take, or that are not there twice. */
export class RefusedObjectsError extends Error {
  readonly code = "REFUSED";
  readonly refused: readonly Refusal[];

  constructor(refused: readonly Refusal[]) {
    const lines = refused.flatMap((r) =>
      r.issues.map(
        (i) => `${r.file}#${r.place} ${r.kind ?? ""} ${r.name}: ${i.path === "" ? "" : `${i.path}: `}${i.message}`,
      ),
    );
    super(`Refused objects:\n${lines.join("\n")}`);
    this.name = "RefusedObjectsError";
    this.refused = refused;
  }
}

/** A question that has no answer: an end or a port that is not there, a word that says nothing. */
export class PolicyQuestionError extends Error {
  readonly code = "QUESTION";

  constructor(message: string) {
    super(message);
    this.name = "PolicyQuestionError";
  }
}

function need<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  if (!result.ok) throw new PolicyQuestionError(result.error);
  return result.value;
}

/** What is said of one flow. */
export interface FlowAnswer {
  /** Every family that the flow has is let through. */
  readonly isAllowed: boolean;
  /** What each end says, of the first family; undefined where it is no pod. */
  readonly egress: Explanation | undefined;
  readonly ingress: Explanation | undefined;
  /** All of it. */
  readonly flow: FlowExplanation;
  /** For people, several lines. */
  readonly text: string;
}

/** How a world is made. */
export interface WorldOptions {
  /** The agents' `policy.mode`. */
  readonly mode?: PolicyMode;
}

/** See the file's comment. Nothing in it changes. */
export class PolicyWorld {
  readonly #files: readonly ReadFile[];
  readonly #options: WorldOptions;
  readonly #made: FileWorld;

  /** @throws RefusedObjectsError */
  constructor(files: readonly ReadFile[], options: WorldOptions = {}) {
    this.#files = files;
    this.#options = options;
    this.#made = worldOfFiles(files, options.mode);
    if (this.#made.refused.length > 0) throw new RefusedObjectsError(this.#made.refused);
  }

  /** `namespace/name` of all pods that have a network of their own, workloads among them. */
  get pods(): readonly string[] {
    return [...this.#made.world.pods.keys()].sort();
  }

  /** What policies ask for and is not enforced. */
  get notEnforced(): readonly NotEnforced[] {
    return notEnforced(this.#made.world.rules.policies);
  }

  /** The same cluster with these objects; one of the same kind and name takes the place of the former. @throws RefusedObjectsError */
  with(...objects: readonly KubernetesObject[]): PolicyWorld {
    const extra: ReadFile = { path: "with", content: readValues(objects, createInterner()) };
    const added = new Set(extra.content.objects.map((o) => `${o.kind.table} ${o.key}`));
    return new PolicyWorld([...this.#without(added), extra], this.#options);
  }

  /** The same cluster without these objects. Those that are not there are a mistake. @throws PolicyQuestionError */
  without(...objects: readonly Pick<KubernetesObject, "apiVersion" | "kind" | "metadata">[]): PolicyWorld {
    const gone = readValues(objects, createInterner());
    const keys = new Set(gone.objects.map((o) => `${o.kind.table} ${o.key}`));
    const there = new Set(this.#files.flatMap((f) => f.content.objects.map((o) => `${o.kind.table} ${o.key}`)));
    const missing = [...keys].find((k) => !there.has(k)) ?? gone.others[0]?.kind ?? gone.broken[0]?.kind;
    if (missing !== undefined) throw new PolicyQuestionError(`Cannot take away "${missing}": it is not there`);
    return new PolicyWorld(this.#without(keys), this.#options);
  }

  #without(keys: ReadonlySet<string>): ReadFile[] {
    return this.#files.map(({ path, content }) => {
      const objects = content.objects.filter((o) => !keys.has(`${o.kind.table} ${o.key}`));
      const kept: FileContent = { ...content, objects };
      return { path, content: kept };
    });
  }

  /**
   * Why a flow is allowed or denied.
   * @param from `namespace/pod`, an address, or a node
   * @param port `80/TCP`, `http/TCP`, `ICMP`, …
   * @throws PolicyQuestionError
   */
  explain(from: string, to: string, port: string): FlowAnswer {
    const { world } = this.#made;
    const ends = [need(findEnd(world, from)), need(findEnd(world, to))] as const;
    const flow = need(explainFlow(world, ...ends, need(parseTraffic(port))));
    const [first] = flow.families;
    return {
      isAllowed: flow.isAllowed,
      egress: first?.egress.explanation,
      ingress: first?.ingress.explanation,
      flow,
      text: explainText(flow, { paint: NO_PAINT, isFull: false }),
    };
  }

  /** Who reaches whom: verdicts by port, sender and receiver. @param ports `80/TCP,81/UDP` @throws PolicyQuestionError */
  matrix(
    ports: string,
    options: { readonly from?: readonly string[]; readonly to?: readonly string[] } = {},
  ): PolicyMatrix {
    const { world } = this.#made;
    const ends = [...world.pods.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return need(policyMatrix(world, { traffics: need(parseTraffics(ports)), ends, denied: "timeout", ...options }));
  }

  /** @param by what must decide, as `NetworkPolicy shop/db` @throws AssertionError unless every such flow is allowed */
  assertAllowed(from: string | readonly string[], to: string | readonly string[], port: string, by?: string): void {
    this.#assert(from, to, port, "allow", by);
  }

  /** @param by what must decide, as `NetworkPolicy shop/db` @throws AssertionError unless every such flow is denied */
  assertDenied(from: string | readonly string[], to: string | readonly string[], port: string, by?: string): void {
    this.#assert(from, to, port, "deny", by);
  }

  #assert(
    from: string | readonly string[],
    to: string | readonly string[],
    port: string,
    expect: "allow" | "deny",
    by: string | undefined,
  ): void {
    const list = (words: string | readonly string[]) => (typeof words === "string" ? [words] : words);
    const claim = { name: "", from: list(from), to: list(to), traffic: need(parseTraffics(port)), expect, by };
    const result = checkAssertion(this.#made.world, claim);
    if (holds(result)) return;
    const wanted = `${expect === "allow" ? "allowed" : "denied"}${by === undefined ? "" : ` by ${by}`}`;
    const lines = result.failures.map((f) => `${f.from} → ${f.to} ${f.traffic} is ${f.found}: ${f.because}`);
    const message = [`Expected to be ${wanted}:`, ...lines, ...(result.error === undefined ? [] : [result.error])].join(
      "\n",
    );
    throw new AssertionError({ message, operator: "policy", stackStartFn: this.#assert });
  }
}

/** A world of objects, built or parsed. @throws RefusedObjectsError */
export function policyWorld(objects: Iterable<KubernetesObject>, options: WorldOptions = {}): PolicyWorld {
  return new PolicyWorld([{ path: "objects", content: readValues([...objects], createInterner()) }], options);
}

/** A world of YAML or JSON. @throws RefusedObjectsError */
export function policyWorldFromYaml(text: string, options: WorldOptions = {}): PolicyWorld {
  return new PolicyWorld([{ path: "text", content: readFileContent(text, createInterner()) }], options);
}

/** A world of files, and of directories of them. @throws ClusterError when one cannot be read; RefusedObjectsError */
export async function policyWorldFromFiles(paths: readonly string[], options: WorldOptions = {}): Promise<PolicyWorld> {
  return new PolicyWorld(readFiles(await readPaths(paths)), options);
}

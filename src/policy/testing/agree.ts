/** Holds compiled tables against a literal reading: the flows to ask about, and what to say when the two differ. */

import type { Addr } from "../../net/addr.ts";
import type { Flow } from "../literal/flow.ts";
import type { Direction } from "../rule.ts";
import { type CompiledNode, judgeAcross } from "./compiled.ts";

/** Protocol and port. */
export type Traffic = readonly [number, number];

/** Every pair of ends of one family, each with the next four kinds of traffic, beginning at `turn`. */
export function* flowsBetween(ends: readonly Addr[], traffic: readonly Traffic[], turn: number): Generator<Flow> {
  let n = turn;
  for (const from of ends)
    for (const to of ends)
      if (from.family === to.family && from.text !== to.text)
        for (let i = 0; i < 4; i++) {
          const [protocol, port] = traffic[n++ % traffic.length] ?? [6, 80];
          yield { from, to, protocol, port };
        }
}

/**
 * How many flows were asked about.
 * @throws Error at the first flow of which the tables and the reading say different things, with its seed
 */
export function assertAgree(
  seed: number,
  flows: Iterable<Flow>,
  nodes: readonly CompiledNode[],
  read: (flow: Flow) => Readonly<Record<Direction, boolean>>,
): number {
  let count = 0;
  for (const flow of flows) {
    const expected = read(flow);
    const found = judgeAcross(nodes, flow);
    for (const end of ["egress", "ingress"] as const) {
      if (expected[end] === (found[end]?.isAllowed ?? true)) continue;
      const rule = nodes.map((n) => JSON.stringify(n.tables.rules.get(found[end]?.rule ?? 0) ?? null)).join(" ");
      throw new Error(
        `Seed ${seed}: ${flow.from.text} → ${flow.to.text} protocol ${flow.protocol} port ${flow.port}, ${end}: ` +
          `the specifications say ${expected[end]}, the tables ${found[end]?.isAllowed} by ${rule}`,
      );
    }
    count++;
  }
  return count;
}

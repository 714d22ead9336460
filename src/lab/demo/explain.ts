/** Why checks fail: what every node's own agent says about drops and about what it could not do. */

import { type Box, runIn } from "../box.ts";
import type { Lab } from "../lab.ts";

/** The parts of `twill status --json` that explain something. */
interface AgentStatus {
  readonly notReady?: readonly string[];
  readonly issues?: readonly unknown[];
  readonly packets?: readonly { readonly name: string; readonly packets: number }[];
  readonly reconcile?: { readonly failing?: number };
}

const ASK_MS = 5_000;

/** What a status says that is not as it should be, in words; empty: nothing. */
export function oddities(status: AgentStatus): string[] {
  const drops = (status.packets ?? []).filter((p) => p.name.startsWith("drop_") && p.packets > 0);
  return [
    ...(status.notReady ?? []).map((r) => `not ready: ${r}`),
    ...(status.issues ?? []).map((i) => (typeof i === "string" ? i : JSON.stringify(i))),
    ...((status.reconcile?.failing ?? 0) > 0
      ? [`${status.reconcile?.failing} rows cannot be put into the kernel`]
      : []),
    ...drops.map((d) => `dropped ${d.packets} packets: ${d.name.slice("drop_".length).replaceAll("_", " ")}`),
  ];
}

async function ask(box: Box): Promise<string[]> {
  try {
    const output = await runIn(box, ["/opt/twill/bin/twill", "status", "--json"], { timeoutMs: ASK_MS });
    return oddities(JSON.parse(output.stdout) as AgentStatus);
  } catch {
    return ["its agent does not answer"];
  }
}

/** One line for each node that has something to say. */
export async function explainFailures(lab: Lab): Promise<string[]> {
  if (!lab.hasAgents) return [];
  const answers = await Promise.all(
    lab.nodes.map(async ({ node, box }) => ({ name: node.name, says: await ask(box) })),
  );
  return answers.flatMap(({ name, says }) => (says.length === 0 ? [] : [`${name}: ${says.join("; ")}`]));
}

/**
 * The nodes as last seen, on a file below `/run`: an agent that starts while the API is away keeps the data plane as it
 * was, and goes on mending it, instead of waiting with half a network.
 */

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";
import { parseAddr } from "../net/addr.ts";
import { parsePrefix } from "../net/prefix.ts";
import type { NodeNet } from "../routing/node-net.ts";

interface Stored {
  readonly version: number;
  readonly nodes: readonly {
    readonly name: string;
    readonly ips: readonly string[];
    readonly cidrs: readonly string[];
    /** Not there where there are none. */
    readonly pools?: readonly string[];
  }[];
}

const VERSION = 1;

/** Text of the file. */
function encodeNodes(nodes: readonly NodeNet[]): string {
  const stored: Stored = {
    version: VERSION,
    nodes: nodes.map((n) => ({
      name: n.name,
      ips: n.internalIps.map((a) => a.text),
      cidrs: n.podCidrs.map((p) => p.text),
      ...(n.poolCidrs !== undefined && n.poolCidrs.length > 0 && { pools: n.poolCidrs.map((p) => p.text) }),
    })),
  };
  return `${JSON.stringify(stored)}\n`;
}

function texts(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((v) => typeof v === "string") ? value : undefined;
}

function parsed<T>(list: readonly string[], parse: (text: string) => Result<T>): T[] | undefined {
  const out: T[] = [];
  for (const text of list) {
    const r = parse(text);
    if (!r.ok) return undefined;
    out.push(r.value);
  }
  return out;
}

/** Reads the text of the file; anything that is not exactly right is refused, since a wrong node is worse than none. */
function decodeNodes(text: string): Result<readonly NodeNet[]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err("It is not JSON");
  }
  const { version, nodes } = (value ?? {}) as Partial<Stored>;
  if (version !== VERSION || !Array.isArray(nodes)) return err(`It is not of version ${VERSION}`);
  const out: NodeNet[] = [];
  for (const n of nodes as readonly Partial<Stored["nodes"][number]>[]) {
    const internalIps = parsed(texts(n.ips) ?? ["?"], parseAddr);
    const podCidrs = parsed(texts(n.cidrs) ?? ["?"], parsePrefix);
    const poolCidrs = parsed(n.pools === undefined ? [] : (texts(n.pools) ?? ["?"]), parsePrefix);
    if (poolCidrs === undefined) return err(`Node ${JSON.stringify(n.name)} is damaged`);
    if (typeof n.name !== "string" || internalIps === undefined || podCidrs === undefined)
      return err(`Node ${JSON.stringify(n.name)} is damaged`);
    out.push({ name: n.name, internalIps, podCidrs, ...(poolCidrs.length > 0 && { poolCidrs }) });
  }
  return ok(out);
}

/** The file of one node. */
export class ClusterMemory {
  readonly #path: string;
  #lastText: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The nodes as last seen; undefined when nothing usable is there. */
  load(): readonly NodeNet[] | undefined {
    try {
      const nodes = decodeNodes(readFileSync(this.#path, "utf8"));
      return nodes.ok ? nodes.value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps the nodes; writes only when they differ from what was kept last. @throws Error when the file cannot be written */
  save(nodes: readonly NodeNet[]): void {
    const text = encodeNodes(nodes);
    if (text === this.#lastText) return;
    const temporary = `${this.#path}.new`;
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, this.#path);
    this.#lastText = text;
  }
}

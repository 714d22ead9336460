/** What happens in a demonstration, as data: drawn by whoever looks, in this process or another. */

import type { Failure, GroupKey } from "./checks.ts";

/** Count of checks of one cell of the table. */
export interface CellCount {
  readonly passed: number;
  readonly failed: number;
}

/** The outcome, as `--json` prints it. */
export interface DemoResult {
  readonly passed: number;
  readonly failed: number;
  /** From the start of the process to the last check. */
  readonly seconds: number;
  readonly nodes: number;
  readonly pods: number;
  /** `group` → `IPv4`/`IPv6` → column → counts. */
  readonly matrix: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, CellCount>>>>>>;
  /** At most 200. */
  readonly failures: readonly Failure[];
  /** What the nodes say about failed checks. */
  readonly notes: readonly string[];
}

/** One thing that happened. */
export type DemoEvent =
  | { readonly kind: "step"; readonly text: string; readonly atMs: number }
  | {
      readonly kind: "node";
      readonly name: string;
      readonly addresses: readonly string[];
      readonly state: string;
      readonly isReady: boolean;
    }
  | {
      readonly kind: "pod";
      readonly name: string;
      readonly node: string;
      readonly addresses: readonly string[];
      readonly state: string;
      readonly isReady: boolean;
    }
  | {
      readonly kind: "cell";
      readonly group: GroupKey;
      readonly family: 4 | 6;
      readonly column: string;
      readonly count: CellCount;
    }
  | { readonly kind: "failure"; readonly failure: Failure }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "result"; readonly result: DemoResult }
  | {
      readonly kind: "up";
      readonly name: string;
      readonly kubeconfig: string;
      readonly nodes: readonly string[];
      readonly pods: readonly string[];
    }
  | { readonly kind: "error"; readonly message: string };

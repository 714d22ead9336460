/** Calico's selectors as label expressions. */

import type { CalicoSelector } from "../model/policy/calico-selector.ts";
import { allLabels, type LabelExpr } from "./label-expr.ts";

/** Label by which everything in a namespace knows it. */
export const CALICO_NAMESPACE = "projectcalico.org/namespace";
/** Label with the name of a pod's service account. */
export const SERVICE_ACCOUNT = "projectcalico.org/serviceaccount";

const NAMESPACED: LabelExpr = { kind: "has", key: CALICO_NAMESPACE };

/** How the words of a selector are read, depending on the field that it stands in. */
export interface SelectorReading {
  /** Set before each key: `pcns.` for labels of the namespace, `pcsa.` for those of the service account. */
  readonly prefix?: string;
  readonly all?: LabelExpr;
  readonly global?: LabelExpr;
}

/** A `namespaceSelector`: there `all()` means everything that is in a namespace, which host endpoints and global sets are not. */
export const OF_NAMESPACE: SelectorReading = {
  prefix: "pcns.",
  all: NAMESPACED,
  global: { kind: "not", of: NAMESPACED },
};
/** A policy's `serviceAccountSelector`: `all()` means everything that has an account. */
export const OF_SERVICE_ACCOUNT: SelectorReading = { prefix: "pcsa.", all: { kind: "has", key: SERVICE_ACCOUNT } };
/** A selector of service accounts in a rule. */
export const OF_PEER_ACCOUNT: SelectorReading = { prefix: "pcsa." };

/** What the selector means. `!=` and `not in` are true where the label is absent. */
export function calicoExpr(s: CalicoSelector, reading: SelectorReading = {}): LabelExpr {
  const key = (k: string) => `${reading.prefix ?? ""}${k}`;
  switch (s.op) {
    case "all":
      return reading.all ?? { kind: "all" };
    case "global":
      return reading.global ?? { kind: "all" };
    case "has":
      return { kind: "has", key: key(s.key) };
    case "==":
      return { kind: "in", key: key(s.key), values: [s.value] };
    case "!=":
      return { kind: "not", of: { kind: "in", key: key(s.key), values: [s.value] } };
    case "in":
      return { kind: "in", key: key(s.key), values: s.values };
    case "not in":
      return { kind: "not", of: { kind: "in", key: key(s.key), values: s.values } };
    case "contains":
      return { kind: "contains", key: key(s.key), text: s.value };
    case "starts with":
      return { kind: "starts-with", key: key(s.key), text: s.value };
    case "ends with":
      return { kind: "ends-with", key: key(s.key), text: s.value };
    case "!":
      return { kind: "not", of: calicoExpr(s.of, reading) };
    case "&&":
      return allLabels(s.of.map((e) => calicoExpr(e, reading)));
    case "||":
      return { kind: "or", of: s.of.map((e) => calicoExpr(e, reading)) };
  }
}

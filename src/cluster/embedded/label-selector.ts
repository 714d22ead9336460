/** Label selectors in their query form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */

import { badRequest } from "./api-error.ts";
import type { KubeObject } from "./types.ts";

/** Whether an object is selected. */
export type Matcher = (object: KubeObject) => boolean;

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Whether a text may be a label's key. */
export function isLabelKey(text: string): boolean {
  return KEY.test(text);
}

/** Whether a text may be a label's value. */
export function isLabelValue(text: string): boolean {
  return VALUE.test(text);
}

/** Splits at commas outside parentheses. */
function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((t) => t.trim())
    .filter((t) => t !== "");
}

function parseTerm(term: string): Requirement {
  const bad = (why: string) => badRequest(`unable to parse requirement: ${why} in ${JSON.stringify(term)}`);
  const key = (text: string): string => {
    if (!KEY.test(text)) throw bad(`invalid label key ${JSON.stringify(text)}`);
    return text;
  };
  const value = (text: string): string => {
    if (!VALUE.test(text)) throw bad(`invalid label value ${JSON.stringify(text)}`);
    return text;
  };
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term);
  if (set !== null) {
    const k = key(set[1] ?? "");
    const values = new Set((set[3] ?? "").split(",").map((v) => value(v.trim())));
    if (set[2] === "in") return (l) => Object.hasOwn(l, k) && values.has(l[k] ?? "");
    return (l) => !Object.hasOwn(l, k) || !values.has(l[k] ?? "");
  }
  const compare = /^([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(\S*)$/.exec(term);
  if (compare !== null) {
    const k = key(compare[1] ?? "");
    const v = value(compare[3] ?? "");
    const op = compare[2];
    if (op === "!=") return (l) => !Object.hasOwn(l, k) || l[k] !== v;
    if (op === ">" || op === "<") {
      const bound = Number(v);
      if (v === "" || !Number.isInteger(bound)) throw bad("an integer is wanted");
      return (l) => {
        const n = Object.hasOwn(l, k) && /^-?\d+$/.test(l[k] ?? "") ? Number(l[k]) : Number.NaN;
        return op === ">" ? n > bound : n < bound;
      };
    }
    return (l) => Object.hasOwn(l, k) && l[k] === v;
  }
  if (term.startsWith("!")) {
    const k = key(term.slice(1).trim());
    return (l) => !Object.hasOwn(l, k);
  }
  const k = key(term);
  return (l) => Object.hasOwn(l, k);
}

/** The matcher of a label selector; an empty one matches everything. @throws ApiError 400 */
export function parseLabelSelector(text: string): Matcher {
  const terms = splitTerms(text).map(parseTerm);
  return (object) => {
    const labels = object.metadata.labels ?? {};
    return terms.every((t) => t(labels));
  };
}

/** A `LabelSelector` object (`matchLabels`, `matchExpressions`) in query form. */
export function formatLabelSelector(selector: {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}): string {
  const terms = Object.entries(selector.matchLabels ?? {}).map(([k, v]) => `${k}=${v}`);
  for (const e of selector.matchExpressions ?? []) {
    const values = `(${(e.values ?? []).join(",")})`;
    if (e.operator === "In") terms.push(`${e.key} in ${values}`);
    else if (e.operator === "NotIn") terms.push(`${e.key} notin ${values}`);
    else terms.push(e.operator === "DoesNotExist" ? `!${e.key}` : e.key);
  }
  return terms.join(",");
}

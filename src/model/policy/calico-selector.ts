/**
 * Calico's selector language: `app == "web" && (has(zone) || tier not in {"a", 'b'})`.
 *
 * Grammar, loosest first: `or := and ("||" and)*`, `and := unary ("&&" unary)*`, `unary := "!" unary | "(" or ")" | call |
 * comparison`. Values stand in single or double quotes without escapes; words of operators may stand without a blank between them,
 * as `notin`. Text that is empty or blank selects all.
 */

import { err, ok, type Result } from "../../base/result.ts";

/** A selector as it was written, without its spelling. */
export type CalicoSelector =
  | { readonly op: "all" | "global" }
  | { readonly op: "has"; readonly key: string }
  | {
      readonly op: "==" | "!=" | "contains" | "starts with" | "ends with";
      readonly key: string;
      readonly value: string;
    }
  | { readonly op: "in" | "not in"; readonly key: string; readonly values: readonly string[] }
  | { readonly op: "!"; readonly of: CalicoSelector }
  | { readonly op: "&&" | "||"; readonly of: readonly CalicoSelector[] };

/** Characters that a selector may have, as Calico's resource definitions bound it. */
const MAX_SELECTOR_LENGTH = 1024;
/** Parentheses and `!` within each other. */
export const MAX_SELECTOR_DEPTH = 32;

const KEY = /[A-Za-z0-9_./-]+/y;
const SPACE = /[ \t\r\n]*/y;
const COMPARISONS = [
  ["==", /==/y],
  ["!=", /!=/y],
  ["contains", /contains(?![A-Za-z0-9_./-])/y],
  ["starts with", /starts[ \t]*with(?![A-Za-z0-9_./-])/y],
  ["ends with", /ends[ \t]*with(?![A-Za-z0-9_./-])/y],
  ["in", /in(?=[ \t\r\n]*\{)/y],
  ["not in", /not[ \t]*in(?=[ \t\r\n]*\{)/y],
] as const;

/** What stops a parse; never leaves this file. */
class SyntaxStop extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): CalicoSelector {
    this.#space();
    if (this.#at === this.#text.length) return { op: "all" };
    const selector = this.#or();
    if (this.#at < this.#text.length) this.#stop("Expected &&, || or the end");
    return selector;
  }

  #stop(message: string, at = this.#at): never {
    throw new SyntaxStop(message, at);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const hit = pattern.exec(this.#text)?.[0];
    if (hit !== undefined) this.#at += hit.length;
    return hit;
  }

  #space(): void {
    this.#match(SPACE);
  }

  /** Takes the symbol and the blanks behind it. */
  #take(symbol: string): boolean {
    if (!this.#text.startsWith(symbol, this.#at)) return false;
    this.#at += symbol.length;
    this.#space();
    return true;
  }

  #want(symbol: string): void {
    if (!this.#take(symbol)) this.#stop(`Expected ${JSON.stringify(symbol)}`);
  }

  #list(op: "&&" | "||", one: () => CalicoSelector): CalicoSelector {
    const first = one();
    const of = [first];
    while (this.#take(op)) of.push(one());
    return of.length === 1 ? first : { op, of };
  }

  #or(): CalicoSelector {
    return this.#list("||", () => this.#list("&&", () => this.#unary()));
  }

  #unary(): CalicoSelector {
    if (this.#depth >= MAX_SELECTOR_DEPTH) this.#stop(`Nested deeper than ${MAX_SELECTOR_DEPTH}`);
    this.#depth++;
    const selector = this.#operand();
    this.#depth--;
    return selector;
  }

  #operand(): CalicoSelector {
    if (this.#take("!")) return { op: "!", of: this.#unary() };
    if (this.#take("(")) {
      const inner = this.#or();
      this.#want(")");
      return inner;
    }
    const start = this.#at;
    const key = this.#match(KEY);
    if (key === undefined) this.#stop('Expected a label key, has(key), all(), global(), "!" or "("');
    if (this.#take("(")) return this.#call(key, start);
    this.#space();
    return this.#comparison(key);
  }

  #call(name: string, start: number): CalicoSelector {
    if (name !== "has" && name !== "all" && name !== "global")
      this.#stop(
        `There is no function ${JSON.stringify(name.slice(0, 64))}: known are has(key), all(), global()`,
        start,
      );
    if (name === "has") {
      const key = this.#match(KEY);
      if (key === undefined) this.#stop("Expected a label key");
      this.#space();
      this.#want(")");
      return { op: "has", key };
    }
    this.#want(")");
    return { op: name };
  }

  #comparison(key: string): CalicoSelector {
    for (const [op, pattern] of COMPARISONS) {
      if (this.#match(pattern) === undefined) continue;
      this.#space();
      return op === "in" || op === "not in" ? { op, key, values: this.#set() } : { op, key, value: this.#value() };
    }
    return this.#stop('Expected ==, !=, in {…}, not in {…}, contains, "starts with" or "ends with"');
  }

  #set(): string[] {
    this.#want("{");
    const values: string[] = [];
    // A comma may stand behind the last value, too.
    do {
      if (this.#take("}")) return values;
      values.push(this.#value());
    } while (this.#take(","));
    this.#want("}");
    return values;
  }

  #value(): string {
    const start = this.#at;
    const quote = this.#text[start];
    if (quote !== '"' && quote !== "'") this.#stop("Expected a value in quotes");
    const end = this.#text.indexOf(quote, start + 1);
    if (end < 0) this.#stop("The value has no closing quote", start);
    this.#at = end + 1;
    this.#space();
    return this.#text.slice(start + 1, end);
  }
}

/** Parses a selector; the refusal says what was expected and at which character, counted from 1. */
export function parseCalicoSelector(text: string): Result<CalicoSelector> {
  if (text.length > MAX_SELECTOR_LENGTH)
    return err(`${text.length} characters: a selector has at most ${MAX_SELECTOR_LENGTH}`);
  try {
    return ok(new Parser(text).whole());
  } catch (stop) {
    if (!(stop instanceof SyntaxStop)) throw stop;
    const found = stop.at >= text.length ? "the end" : JSON.stringify(text.slice(stop.at, stop.at + 16));
    return err(`${stop.message} at character ${stop.at + 1}, found ${found}`);
  }
}

function quoteValue(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** The selector in its language again; parses to an equal one. */
export function calicoSelectorText(s: CalicoSelector): string {
  switch (s.op) {
    case "all":
    case "global":
      return `${s.op}()`;
    case "has":
      return `has(${s.key})`;
    case "in":
    case "not in":
      return `${s.key} ${s.op} {${s.values.map(quoteValue).join(", ")}}`;
    case "!":
      return `!(${calicoSelectorText(s.of)})`;
    case "&&":
    case "||":
      return s.of.map((e) => `(${calicoSelectorText(e)})`).join(` ${s.op} `);
    default:
      return `${s.key} ${s.op} ${quoteValue(s.value)}`;
  }
}

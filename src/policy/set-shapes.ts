/**
 * Sets that differ only in which rules their verdicts name. Most policies ask for the same few ports, and where who isolates has
 * changed all denials of a class have another name: what is said where is made once, and the names are put in.
 */

import { remembered } from "../base/remembered.ts";
import type { Step } from "./order.ts";
import type { Rule } from "./rule.ts";
import { buildSet, closedSteps, type SetInput } from "./set.ts";
import type { SetRow, Verdict } from "./table.ts";

/** Shapes that are kept. When there are so many all are forgotten: those that are asked for come again. */
export const MAX_SHAPES = 4096;
/** A set of more steps, or of more rows, is hardly met again. */
const MAX_STEPS = 64;
const MAX_ROWS = 64;
/** Texts of rules that have a number, and the characters that one may have. */
const MAX_TEXTS = 4096;
const MAX_TEXT = 512;

/** A set's rows with steps in place of their rules' numbers: the first step is 1. */
type Shape = readonly SetRow[];

/** See the file's comment. */
export class SetShapes {
  readonly #shapes = new Map<string, Shape>();

  /** At most {@link MAX_SHAPES}. */
  get size(): number {
    return this.#shapes.size;
  }

  /** The rows that {@link buildSet} makes. */
  build(input: SetInput): SetRow[] {
    if (input.steps.length > MAX_STEPS) return buildSet(input);
    const key = keyOf(input);
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      shape = shapeOf(input);
      if (this.#shapes.size >= MAX_SHAPES) this.#shapes.clear();
      if (shape.length <= MAX_ROWS) this.#shapes.set(key, shape);
    }
    return name(shape, input) ?? buildSet(input);
  }
}

function shapeOf(input: SetInput): Shape {
  const steps = closedSteps(input.steps);
  const placeOf = new Map(steps.map((step, i) => [step, i + 1]));
  return buildSet({ ...input, steps, numberOf: (step) => placeOf.get(step) ?? 0 });
}

/** Puts the rules' numbers in. @returns undefined: two of the steps are the same rule, which may need fewer rows */
function name(shape: Shape, { steps, numberOf }: SetInput): SetRow[] | undefined {
  const closed = closedSteps(steps);
  const numbers = new Map([[0, 0]]);
  const numberAt = (place: number): number => {
    const number = numbers.get(place) ?? numberOf(closed[place - 1] as Step);
    numbers.set(place, number);
    return number;
  };
  const verdicts = new Map<Verdict, Verdict>();
  const rows = shape.map((row) => {
    let verdict = verdicts.get(row.verdict);
    if (verdict === undefined) {
      const { isAllowed, rule, logRule, staged } = row.verdict;
      verdict = {
        isAllowed,
        rule: numberAt(rule),
        logRule: numberAt(logRule),
        staged: staged === undefined ? undefined : { isAllowed: staged.isAllowed, rule: numberAt(staged.rule) },
      };
      verdicts.set(row.verdict, verdict);
    }
    return { ...row, verdict };
  });
  return new Set(numbers.values()).size < numbers.size ? undefined : rows;
}

/** Equal for inputs of one shape: of a step only what it does with which traffic counts, and whether a tier begins with it. */
function keyOf({ steps, family, names }: SetInput): string {
  let key = family === 4 ? "4" : "6";
  let tier = steps[0]?.tier;
  for (const step of steps) {
    if (step.tier !== tier) key += "/";
    tier = step.tier;
    key += step.isStaged ? "s" : " ";
    key += step.kind === "end" ? step.of.end : shapeNumber(step.rule);
  }
  return names.length === 0 ? key : `${key} ${JSON.stringify(names)}`;
}

const numbersOfTexts = new Map<string, number>();
let nextNumber = 0;

/** Rules of one number do the same with the same traffic. */
const shapeNumber = remembered(({ action, traffic }: Rule): number => {
  const text = JSON.stringify([action, traffic]);
  const known = numbersOfTexts.get(text);
  if (known !== undefined) return known;
  const number = nextNumber++;
  if (text.length > MAX_TEXT) return number;
  if (numbersOfTexts.size >= MAX_TEXTS) numbersOfTexts.clear();
  numbersOfTexts.set(text, number);
  return number;
});

/** The configuration's schema as a structural schema of Kubernetes: for definitions of objects that hold settings. */

import * as z from "zod";
import { configSchema } from "../src/agent/config/schema.ts";
import { type Where, whereOf } from "../src/agent/config/scope.ts";

type Json = Readonly<Record<string, unknown>>;

/** Unknown members are kept: Twill's reader reports them, and a definition that is older than an agent drops nothing. */
const KEEP = { "x-kubernetes-preserve-unknown-fields": true } as const;

/** What a structural schema takes over as it is. */
const SAME = ["description", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"] as const;

function structural(schema: Json): Json {
  const { type, properties, items, anyOf, description } = schema;
  // A value of several types has none of its own. Its reader says what is wrong with it.
  if (Array.isArray(anyOf)) {
    const types = (anyOf as readonly Json[]).map((s) => s["type"]);
    const how = types.every((t) => t === "string" || t === "integer") ? { "x-kubernetes-int-or-string": true } : KEEP;
    return { description, ...how };
  }
  const same = Object.fromEntries(SAME.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]])));
  if (type === "object")
    return { type, ...KEEP, ...same, properties: mapped(properties as Readonly<Record<string, Json>>) };
  return { type, ...same, ...(items === undefined ? {} : { items: structural(items as Json) }) };
}

function mapped(properties: Readonly<Record<string, Json>> = {}): Json {
  return Object.fromEntries(Object.entries(properties).map(([key, s]) => [key, structural(s)]));
}

/** Without the members that may not be set there; undefined: nothing is left. */
function within(schema: Json, allowed: readonly Where[], path: string): Json | undefined {
  const { properties } = schema;
  if (typeof properties !== "object" || properties === null)
    return allowed.includes(whereOf(path)) ? schema : undefined;
  const left = Object.entries(properties).flatMap(([key, value]) => {
    const inner = within(value as Json, allowed, path === "" ? key : `${path}.${key}`);
    return inner === undefined ? [] : [[key, inner]];
  });
  return left.length === 0 ? undefined : { ...schema, properties: Object.fromEntries(left) };
}

/** Schema of the settings that an object may have. Nothing is required and nothing has a default: what is not said is not set. */
export function settingsSchema(...allowed: readonly Where[]): Json {
  const whole = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Json;
  return within(structural(whole), allowed, "") ?? { type: "object" };
}

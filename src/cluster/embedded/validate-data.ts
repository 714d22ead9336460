/** What the server refuses in ConfigMaps and Secrets. */

import { forbiddenValue, invalidValue, type StatusCause } from "./api-error.ts";
import { isFields, jsonEqual } from "./fields.ts";
import type { KubeObject } from "./types.ts";

const KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const CONSTANT = "field is immutable when `immutable` is set";

function checkKeys(value: unknown, field: string): StatusCause[] {
  const wrong = Object.keys(isFields(value) ? value : {}).filter(
    (k) => !KEY.test(k) || k === "." || k.startsWith(".."),
  );
  const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
  return wrong.map((k) => invalidValue(`${field}[${k}]`, k, rule));
}

function checkConstant(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): StatusCause[] {
  if (old?.["immutable"] !== true) return [];
  const changed = fields.filter((f) => !jsonEqual(old[f], object[f])).map((f) => forbiddenValue(f, CONSTANT));
  return object["immutable"] === true ? changed : [forbiddenValue("immutable", CONSTANT), ...changed];
}

export function validateConfigMap(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const keys = ["data", "binaryData"].flatMap((f) => checkKeys(object[f], f));
  return [...keys, ...checkConstant(object, old, ["data", "binaryData"])];
}

export function validateSecret(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const isOther = old !== undefined && old["type"] !== object["type"];
  const type = isOther ? [invalidValue("type", object["type"], "field is immutable")] : [];
  return [...checkKeys(object["data"], "data"), ...type, ...checkConstant(object, old, ["data"])];
}

/** Ownership of fields after a create or update. */

import { trackUpdate } from "./managed-fields.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import type { OperationContext, WriteOptions } from "./operation-types.ts";
import type { ResourceType } from "./resources.ts";
import type { KubeObject } from "./types.ts";

/** The object after a write, with what the writer now owns. */
export function trackWrite(
  c: OperationContext,
  r: ResourceType,
  before: KubeObject | undefined,
  after: KubeObject,
  o: WriteOptions,
): KubeObject {
  if (o.manager === undefined) return after;
  return trackUpdate(before, after, mergeSchemaOf(r), {
    manager: o.manager,
    subresource: o.subresource,
    nowMs: c.nowMs(),
  });
}

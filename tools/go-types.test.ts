/** A real program is asked what the checked-in tables say of it. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fieldsOfMessage } from "../src/cluster/embedded/protobuf-tables.ts";
import { programDirectory } from "../test/cluster/kube/programs.ts";
import { GoTypes } from "./go-types.ts";

const program = join(programDirectory(), "kube-apiserver");
const skip = existsSync(program) ? false : `there is no "${program}"`;

it("the types of a kube-apiserver have the fields of the tables, with their numbers", { skip }, () => {
  const types = new GoTypes(readFileSync(program));
  const structs = types.structs();
  for (const [pkg, name, message] of [
    ["k8s.io/api/core/v1", "Container", "core.Container"],
    ["k8s.io/api/core/v1", "PodStatus", "core.PodStatus"],
    ["k8s.io/api/networking/v1", "NetworkPolicySpec", "networking.NetworkPolicySpec"],
    ["k8s.io/apimachinery/pkg/apis/meta/v1", "ObjectMeta", "meta.ObjectMeta"],
    ["k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "JSONSchemaProps", "apiextensions.JSONSchemaProps"],
  ] as const) {
    const struct = structs.get(`${pkg}.${name}`);
    assert.ok(struct, name);
    const known = fieldsOfMessage(message);
    const tags = types.fields(struct).map((f) => f.tag);
    assert.ok(tags.length > 3, name);
    for (const tag of tags) {
      const number = Number(/protobuf:"\w+,(\d+)/.exec(tag)?.[1]);
      assert.equal(known?.get(number)?.name, /json:"([^",]*)/.exec(tag)?.[1], tag);
    }
  }
});

it("what Go's linker did not make is refused", () => {
  assert.throws(() => new GoTypes(readFileSync(process.execPath)).structs(), /no section|not made by Go/);
});

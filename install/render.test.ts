import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as yaml from "yaml";
import { IMAGE_TAG } from "./image/build.ts";
import { renderInstall, renderManifest, renderSchema, renderTemplate, renderValues } from "./render.ts";
import { VALUES } from "./values.ts";

type Docs = readonly { readonly kind: string; readonly [key: string]: unknown }[];

function documents(text: string): Docs {
  return yaml.parseAllDocuments(text).map((d) => {
    assert.deepEqual(d.errors, []);
    return d.toJS();
  });
}

/** What Helm makes of the template, for the two forms that it has. */
function withValues(template: string, values: Readonly<Record<string, unknown>>): string {
  const known = (name: string) => {
    assert.ok(Object.hasOwn(values, name), `the template names a value "${name}" that values.yaml lacks`);
    return values[name];
  };
  const filled = template
    .replace(/^\{\{ \.Values\.(\w+) \| toYaml \| indent (\d+) \}\}$/gm, (_, name: string, n: string) =>
      yaml
        .stringify(known(name))
        .trimEnd()
        .replace(/^/gm, " ".repeat(Number(n))),
    )
    .replace(/\{\{ \.Values\.(\w+) \| toJson \}\}/g, (_, name: string) => JSON.stringify(known(name)));
  assert.doesNotMatch(filled, /\{\{|PLACE-/);
  return filled;
}

describe("the manifest and the chart", () => {
  test("are those that the repository has", () => {
    for (const [path, text] of renderInstall())
      assert.equal(
        readFileSync(join(import.meta.dirname, path), "utf8"),
        text,
        `${path}: node install/generate.ts renews it`,
      );
  });

  test("say the same with the chart's own values", () => {
    const values = yaml.parse(renderValues());
    assert.deepEqual(documents(withValues(renderTemplate(), values)), documents(renderManifest()));
  });

  test("every value of the chart has its place, its schema and its words", () => {
    const values = yaml.parse(renderValues()) as Record<string, unknown>;
    const schema = JSON.parse(renderSchema()) as { properties: Record<string, { description?: string }> };
    assert.deepEqual(Object.keys(values), Object.keys(VALUES));
    for (const [name, spec] of Object.entries(VALUES)) {
      assert.ok(renderTemplate().includes(`.Values.${name} `), `${name} is used`);
      assert.equal(schema.properties[name]?.description, spec.what);
    }
  });

  test("a value that is set differently arrives", () => {
    const values = { ...yaml.parse(renderValues()), image: "example.com/twill:9", config: { mtu: 1400 } };
    const docs = documents(withValues(renderTemplate(), values));
    const config = docs.find((d) => d.kind === "ConfigMap")?.["data"] as { "config.yaml": string };
    assert.deepEqual(yaml.parse(config["config.yaml"]), { mtu: 1400 });
    assert.ok(JSON.stringify(docs.find((d) => d.kind === "DaemonSet")).includes('"image":"example.com/twill:9"'));
  });

  test("name the image that the build makes", () => assert.equal(VALUES.image.fallback, IMAGE_TAG));

  test("ask for no more than reading what is followed and writing what is written", () => {
    const role = documents(renderManifest()).find((d) => d.kind === "ClusterRole") as unknown as {
      rules: { resources: string[]; verbs: string[] }[];
    };
    const writes = role.rules.filter((r) => r.verbs.some((v) => !["get", "list", "watch"].includes(v)));
    const targets = writes.flatMap((r) => r.resources.map((name) => `${r.verbs.join()} ${name}`));
    assert.ok(
      targets.every((t) => t === "patch nodes" || /^patch [a-z]+\/status$/.test(t)),
      targets.join("; "),
    );
    assert.ok(targets.includes("patch nodes/status") && targets.includes("patch ciliumnetworkpolicies/status"));
    assert.ok(!targets.includes("patch pods/status") && targets.includes("patch services/status"));
    assert.ok(role.rules.every((r) => ![...r.resources, ...r.verbs].includes("*")));
  });
});

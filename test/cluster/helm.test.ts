/** The chart as Helm itself reads it; services.test.ts installs it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as yaml from "yaml";
import { repoRoot } from "../../tools/repo-files.ts";
import { helmProgram, noHelm } from "./kube/helm.ts";

const CHART = join(repoRoot, "install/chart");

/** Without a cluster. @returns what it printed, also where it failed */
function helm(...args: readonly string[]): { readonly code: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(helmProgram() ?? "helm", args, { encoding: "utf8", timeout: 120_000 });
  return { code: status, text: status === 0 ? stdout : stderr };
}

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

function byName(text: string): ReadonlyMap<string, unknown> {
  const documents = yaml.parseAllDocuments(text).flatMap((d): Document[] => (d.toJS() === null ? [] : [d.toJS()]));
  return new Map(documents.map((d) => [`${d.kind} ${d.metadata.name}`, d]));
}

describe("the chart", { skip: noHelm() ?? false }, () => {
  test("passes Helm's own check", () => {
    const { code, text } = helm("lint", "--strict", CHART);
    assert.equal(code, 0, text);
  });

  test("with its own values it is the manifest", () => {
    const { code, text } = helm("template", "twill", CHART, "--namespace", "kube-system");
    assert.equal(code, 0, text);
    const [made, manifest] = [byName(text), byName(readFileSync(join(repoRoot, "install/twill.yaml"), "utf8"))];
    assert.deepEqual([...made.keys()].sort(), [...manifest.keys()].sort());
    for (const [name, object] of manifest) assert.deepEqual(made.get(name), object, name);
  });

  test("values arrive where they belong", () => {
    const set = ["apiServer=https://192.0.2.1:6443", "config.mtu=1400", "maxUnavailable=3"];
    const { text } = helm("template", "twill", CHART, ...set.flatMap((s) => ["--set", s]));
    const made = byName(text);
    const config = made.get("ConfigMap twill") as { data: Record<string, string> };
    assert.deepEqual(yaml.parse(config.data["config.yaml"] ?? ""), { mtu: 1400 });
    const daemonSet = JSON.stringify(made.get("DaemonSet twill"));
    assert.match(daemonSet, /"TWILL_API_SERVER","value":"https:\/\/192\.0\.2\.1:6443"/);
    assert.match(daemonSet, /"rollingUpdate":\{"maxUnavailable":3\}/);
  });

  test("a value that cannot be right is refused by name", () => {
    for (const [value, name] of [
      ["apiServer=192.0.2.1", "apiServer"],
      ["imagePullPolicy=Sometimes", "imagePullPolicy"],
      ["maxUnavailable=some", "maxUnavailable"],
      ["maxUnavailable=0%", "maxUnavailable"],
      ["cniBinDir=opt/cni/bin", "cniBinDir"],
    ] as const) {
      const { code, text } = helm("template", "twill", CHART, "--set", value);
      assert.notEqual(code, 0);
      assert.match(text, new RegExp(name));
    }
  });
});

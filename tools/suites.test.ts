import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { selectSuites, suitesOf } from "./suites.ts";

const suites = suitesOf([
  "test/zoo/z.test.ts",
  "test/runtimes/podman.test.ts",
  "src/net/addr.test.ts",
  "src/net/addr.ts",
  "src/kernel/fake/fake.test.ts",
  "src/kernel/linux/addon.test.ts",
  "test/bpf/veth.test.ts",
  "test/layers.test.ts",
]);

describe("suitesOf()", () => {
  it("puts units first, then privileged suites in the order of what stands on what", () => {
    assert.deepEqual(
      suites.map((s) => s.name),
      ["unit", "kernel", "bpf", "runtimes", "zoo"],
    );
  });

  it("takes a file's suite from its place", () => {
    assert.deepEqual(suites[0]?.files, ["src/net/addr.test.ts", "src/kernel/fake/fake.test.ts", "test/layers.test.ts"]);
    const files = ["src/kernel/linux/addon.test.ts"];
    assert.deepEqual(suites[1], { name: "kernel", isPrivileged: true, isAlone: false, isOnline: false, files });
  });
});

describe("selectSuites()", () => {
  const files = (only: string) => selectSuites(suites, only).flatMap((s) => s.files);
  it("takes a suite by its name", () => assert.deepEqual(files("bpf"), ["test/bpf/veth.test.ts"]));
  it("takes files by a part of their path", () => assert.deepEqual(files("addr"), ["src/net/addr.test.ts"]));
  it("finds nothing for a name that is nowhere", () => assert.deepEqual(files("nowhere"), []));
});

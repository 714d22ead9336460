import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChainedPlugin, formatConflist } from "./conflist.ts";

const parsed = (...chained: ChainedPlugin[]) => JSON.parse(formatConflist({ name: "pods", chained }));
const debian: ChainedPlugin["versions"] = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"];

test("Twill alone offers 1.1.0 to whoever can read it, and 1.0.0 to everybody", () => {
  assert.deepEqual(parsed(), {
    cniVersion: "1.0.0",
    cniVersions: ["0.4.0", "1.0.0", "1.1.0"],
    name: "pods",
    plugins: [
      { type: "twill", capabilities: { mac: true, ips: true, ipRanges: true, bandwidth: true, portMappings: true } },
    ],
  });
});

test("chained plugins bring their capabilities, and lower the versions to what they speak", () => {
  const list = parsed({ type: "portmap", versions: debian });
  assert.deepEqual(list.cniVersions, ["0.4.0", "1.0.0"]);
  assert.deepEqual(list.plugins, [
    { type: "twill", capabilities: { mac: true, ips: true, ipRanges: true, bandwidth: true, portMappings: true } },
    { type: "portmap", snat: true, capabilities: { portMappings: true } },
  ]);
});

test("a plugin of long ago lowers cniVersion too", () => {
  assert.equal(parsed({ type: "portmap", versions: ["0.3.1", "0.4.0"] }).cniVersion, "0.4.0");
});

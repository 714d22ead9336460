/** What loading an object makes below a pin directory of the pretended machine: programs, and maps that keep their rows. */

import { createHash } from "node:crypto";
import { SOCKET_HOOKS } from "../../plan/rows.ts";
import { KernelError, type Loaded, type LoadOptions } from "../kernel.ts";
import type { FakeMachine, FakePins } from "./machine.ts";
import { FakeMap } from "./map.ts";
import type { FakeObject } from "./object.ts";

function makeMaps(
  object: FakeObject,
  maxEntries: ReadonlyMap<string, number>,
  old: FakePins | undefined,
): Map<string, FakeMap> {
  const maps = new Map<string, FakeMap>();
  for (const [name, defaults] of object.maps) {
    const spec = { ...defaults, maxEntries: maxEntries.get(name) ?? defaults.maxEntries };
    const before = old?.maps.get(name);
    const isSame = before !== undefined && JSON.stringify(before.spec) === JSON.stringify(spec);
    const map = isSame ? before : new FakeMap(name, spec);
    if (!isSame) for (const row of before?.rows() ?? []) if (map.size < spec.maxEntries) map.put(row);
    maps.set(name, map);
  }
  return maps;
}

/**
 * Pins what the object has. The same bytes with the same sizes change nothing.
 * @param object what the bytes are taken for
 * @throws KernelError when a size is given for a map that it has not
 */
export function loadFakeObject(
  machine: FakeMachine,
  object: FakeObject,
  bytes: Uint8Array,
  { pinDirectory, maxEntries }: LoadOptions,
): Loaded {
  const leftOut = machine.hasSocketPrograms ? [] : SOCKET_HOOKS.map((hook) => `sock_${hook}`);
  const sizes = [...maxEntries].sort(([a], [b]) => (a < b ? -1 : 1));
  const tag = createHash("sha256")
    .update(bytes)
    .update(JSON.stringify([sizes, leftOut]))
    .digest("hex");
  const old = machine.pins.get(pinDirectory);
  const isSame = old?.tag === tag;
  if (!isSame) {
    for (const name of maxEntries.keys())
      if (!object.maps.has(name))
        throw new KernelError("load programs", "ENOENT", 2, `the object has no map "${name}"`);
    const programs = object.programs
      .filter((name) => !leftOut.includes(name))
      .map((name) => [name, { name, id: machine.nextProgramId() }] as const);
    machine.pins.set(pinDirectory, { tag, programs: new Map(programs), maps: makeMaps(object, maxEntries, old) });
  }
  return leftOut.length === 0 ? { tag, isSame } : { tag, isSame, leftOut };
}

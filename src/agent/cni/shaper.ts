/** The pair of devices that limits a pod, as attach, detach and sweep handle it; the reconciler has the same rows. */

import type { Kernel } from "../../kernel/kernel.ts";
import { KernelError } from "../../kernel/kernel.ts";
import type { Endpoint } from "../../model/endpoint.ts";
import { encodeShaperKey } from "../../net/gen/bpf-maps.ts";
import { isShaperLink, shaperNames } from "../../plan/names.ts";
import { isShaped, SHAPERS_MAP, shaperMapRows, shaperRows } from "../../plan/shaper.ts";

function indexOf(kernel: Kernel, name: string): number {
  const link = kernel.links().find((l) => l.name === name);
  if (link === undefined) throw new KernelError(`look up link "${name}"`, "ENODEV", 19);
  return link.ifindex;
}

/**
 * Makes what limits a pod, if anything does, before its link is opened.
 * @returns index of the device by which programs see the pod; undefined: its host end
 * @throws KernelError ENOENT where the kernel has no token bucket filter (sch_tbf)
 */
export function putShaper(kernel: Kernel, e: Endpoint, hostIfindex: number): number | undefined {
  if (!isShaped(e)) return undefined;
  const { link, peer } = shaperNames(e.hostIfname);
  const rows = shaperRows(e);
  // A pair that a crash left may have other limits.
  kernel.deleteLink(link);
  for (const row of rows.links) kernel.putLink(row);
  for (const row of rows.qdiscs) kernel.putQdisc(row);
  kernel.putMapRows(SHAPERS_MAP, shaperMapRows(hostIfindex, indexOf(kernel, link)));
  for (const row of rows.attachments) kernel.putAttachment(row);
  return indexOf(kernel, peer);
}

/** Removes what limits a pod; nothing happens when there is nothing. */
export function deleteShaper(kernel: Kernel, e: Endpoint): void {
  if (!isShaped(e)) return;
  const { link } = shaperNames(e.hostIfname);
  const links = kernel.links().filter((l) => l.name === link || l.name === e.hostIfname);
  kernel.deleteMapKeys(
    SHAPERS_MAP,
    links.map((l) => encodeShaperKey({ ifindex: l.ifindex })),
  );
  kernel.deleteLink(link);
}

/** The pairs that no host end of `known` has. */
export function strayShapers(names: readonly string[], known: ReadonlySet<string>): readonly string[] {
  const wanted = new Set([...known].map((name) => shaperNames(name).link));
  return names.filter((name) => isShaperLink(name) && !wanted.has(name));
}

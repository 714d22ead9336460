/** Removes everything that Twill made on a node, and nothing else: by name, protocol number and pin. */

import { existsSync, rmSync } from "node:fs";
import type { Kernel } from "../kernel/kernel.ts";
import { HOST_LINK, isPodLink, isShaperLink, ROUTE_PROTOCOL, VXLAN_LINK } from "../plan/names.ts";
import { installedFiles, uninstallCni } from "./cni/install.ts";
import type { AgentPaths } from "./config/config.ts";
import { hostCopies, IMAGE_HOME } from "./host-copy.ts";
import { messageOf } from "./reconcile/failures.ts";

/** One thing that is to be removed. */
export interface CleanupStep {
  /** In an operator's words. */
  readonly what: string;
  run(): void;
}

function fileStep(path: string): CleanupStep[] {
  if (!existsSync(path)) return [];
  return [{ what: `rm -r ${path}`, run: () => rmSync(path, { recursive: true, force: true }) }];
}

function cniSteps(paths: AgentPaths): CleanupStep[] {
  const place = { binDirectory: paths.cniBinDir, confDirectory: paths.cniConfDir };
  return installedFiles(place).length === 0
    ? []
    : [{ what: `rm ${installedFiles(place).join(" ")}`, run: () => void uninstallCni(place) }];
}

function kernelSteps(kernel: Kernel): CleanupStep[] {
  const names = kernel.links().map((l) => l.name);
  const links = names.filter((n) => isPodLink(n) || isShaperLink(n) || n === HOST_LINK || n === VXLAN_LINK);
  return [
    ...kernel.attachments().map((a) => ({
      what: `tcx detach ${a.link} ${a.direction} ${a.program}`,
      run: () => kernel.deleteAttachment(a),
    })),
    ...kernel.socketHooks().map((h) => ({
      what: `bpftool cgroup detach ${h.hook} ${h.program}`,
      run: () => kernel.deleteSocketHook(h),
    })),
    ...kernel
      .routes()
      .filter((r) => r.protocol === ROUTE_PROTOCOL)
      .map((r) => ({ what: `ip route del ${r.dst.text} dev ${r.link}`, run: () => kernel.deleteRoute(r) })),
    ...links.map((name) => ({ what: `ip link del ${name}`, run: () => kernel.deleteLink(name) })),
  ];
}

/**
 * Everything that is there to be removed, in order: first what would bring new pods, then what forwards, then what is
 * remembered, last the programs. Settings of the kernel stay: others may rely on them by now.
 * @param home where an installation from Twill's image leaves its copy on a node
 */
export function planCleanup(kernel: Kernel, paths: AgentPaths, home = IMAGE_HOME): CleanupStep[] {
  const copies = hostCopies(home, "/").flatMap(fileStep);
  return [...cniSteps(paths), ...kernelSteps(kernel), ...fileStep(paths.pins), ...fileStep(paths.run), ...copies];
}

/** Runs all steps; one that fails stops no other. @returns what failed */
export function runCleanup(steps: readonly CleanupStep[]): string[] {
  return steps.flatMap((step) => {
    try {
      step.run();
      return [];
    } catch (cause) {
      return [`${step.what}: ${messageOf(cause)}`];
    }
  });
}

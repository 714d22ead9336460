/**
 * Holds ADD back on a node: a program between containerd and the plugin waits until this process says go. Until then a
 * pod's namespace is there and nothing is in it, so that its first packet can be waited for.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeIn } from "../../fixture/files.ts";
import type { KubeNode } from "./node.ts";

const DIRECTORY = "/run/gate";
const PLUGINS = "/opt/cni/bin";
/** Written under another name first: a file that is there is whole. */
const SCRIPT = `#!/bin/sh
own=${DIRECTORY}/$CNI_CONTAINERID
if [ "$CNI_COMMAND" = ADD ]; then
  echo "$CNI_NETNS $CNI_ARGS" > "$own.new"
  mv "$own.new" "$own.asked"
  until [ -e "$own.go" ]; do sleep 0.01; done
fi
CNI_PATH=${PLUGINS} exec "${PLUGINS}/\${0##*/}"
`;

/** A pod whose network was asked for. */
export interface HeldPod {
  readonly container: string;
  /** `namespace/name` */
  readonly pod: string;
  /** Valid on this machine. */
  readonly netns: string;
}

/** See the head of this file. */
export class PluginGate implements AsyncDisposable {
  readonly #node: KubeNode;
  readonly #directory: string;

  private constructor(node: KubeNode) {
    this.#node = node;
    this.#directory = `${node.box.root}${DIRECTORY}`;
  }

  /** Puts itself before the node's plugins, which takes a restart of containerd. */
  static async close(node: KubeNode): Promise<PluginGate> {
    await node.run(["mkdir", "-p", `${DIRECTORY}/bin`]);
    writeIn(node.box, `${DIRECTORY}/bin/twill`, SCRIPT, 0o755);
    await node.run(["ln", "-sf", `${PLUGINS}/loopback`, `${DIRECTORY}/bin/loopback`]);
    await node.usePlugins(`${DIRECTORY}/bin`);
    return new PluginGate(node);
  }

  /** Pods that wait. */
  held(): readonly HeldPod[] {
    const files = readdirSync(this.#directory);
    const asked = files.filter((f) => f.endsWith(".asked")).map((f) => f.replace(/\.asked$/, ""));
    return asked
      .filter((container) => !files.includes(`${container}.go`))
      .map((container) => {
        const text = readFileSync(join(this.#directory, `${container}.asked`), "utf8");
        const [netns = "", args = ""] = text.trim().split(" ");
        const field = (name: string) => new RegExp(`${name}=([^;]*)`).exec(args)?.[1] ?? "";
        const pod = `${field("K8S_POD_NAMESPACE")}/${field("K8S_POD_NAME")}`;
        return { container, pod, netns: `${this.#node.box.root}${netns.replace(/^\/var\/run/, "/run")}` };
      });
  }

  /** Lets a pod's plugin run. */
  release({ container }: HeldPod): void {
    writeFileSync(join(this.#directory, `${container}.go`), "");
  }

  /** Lets everybody through from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pod of this.held()) this.release(pod);
    await this.#node.usePlugins(PLUGINS);
  }
}

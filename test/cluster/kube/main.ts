/** A cluster to play with: `node test/cluster/kube/main.ts [NODES]` brings it up with Twill and waits for Ctrl-C. */

import { join } from "node:path";
import { buildImage } from "../../../install/image/build.ts";
import { repoRoot } from "../../../tools/repo-files.ts";
import { KubeCluster } from "./cluster.ts";
import { ensurePrograms } from "./programs.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const programs = ensurePrograms(say);
await using cluster = await KubeCluster.start({ nodes: Number(process.argv[2] ?? 3), programs, hasKubeProxy: true });
say(`nodes have registered; files are in ${cluster.directory}`);
const image = buildImage(join(cluster.directory, "twill.tar"));
for (const node of cluster.nodes) await node.loadImage(image.archive);
say(await cluster.kubectl(["apply", "-f", join(repoRoot, "install/twill.yaml")]));
const [api] = [cluster.underlay.api];
say(`kubectl: nsenter --net=${api.netns} kubectl --kubeconfig ${cluster.directory}/control/keys/admin.conf`);
await new Promise<void>((resolve) => process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve()));

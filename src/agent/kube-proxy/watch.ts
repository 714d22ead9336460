/** Whether kube-proxy runs on this node, or has left its rules: looked for now and then, since nothing tells of it. */

import { get } from "../../cluster/node-http.ts";
import { type Run, runProgram } from "./leftovers.ts";

/** What there is of kube-proxy. */
export interface KubeProxyFound {
  /** `iptables`, `ipvs` or `nftables` of one that runs; undefined: none answers. */
  readonly mode: string | undefined;
  /** Its rules stand in the firewall. */
  readonly hasRules: boolean;
}

/** kube-proxy's own address for questions, by default. */
const MODE_URL = "http://127.0.0.1:10249/proxyMode";
const TIMEOUT_MS = 2_000;
const LOOK_MS = 600_000;
const MAX_MODE = 32;

/** Mode of a kube-proxy that answers; undefined: none does. */
export function askMode(url = MODE_URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TIMEOUT_MS, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_MODE) res.destroy();
      });
      res.on("close", () =>
        resolve(res.statusCode === 200 && /^[a-z]{1,32}$/.test(text.trim()) ? text.trim() : undefined),
      );
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

/** The chain that only kube-proxy makes, of which one rule is enough; and its table of nftables. */
const QUESTIONS = [
  ["iptables-nft", "-t", "nat", "-S", "KUBE-SERVICES", "1"],
  ["ip6tables-nft", "-t", "nat", "-S", "KUBE-SERVICES", "1"],
  ["nft", "list", "chain", "ip", "kube-proxy", "services"],
  ["nft", "list", "chain", "ip6", "kube-proxy", "services"],
] as const;

/** Whether its rules stand there, as far as this machine has the programs to see them. */
export async function hasRules(run: Run = runProgram): Promise<boolean> {
  for (const question of QUESTIONS) if ((await run(question)).code === 0) return true;
  return false;
}

/** Looks at once, and then every ten minutes. */
export class KubeProxyWatch implements Disposable {
  #found: KubeProxyFound = { mode: undefined, hasRules: false };
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    void this.#look();
  }

  get found(): KubeProxyFound {
    return this.#found;
  }

  async #look(): Promise<void> {
    const [mode, rules] = await Promise.all([askMode(), hasRules()]);
    this.#found = { mode, hasRules: rules };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

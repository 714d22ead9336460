/** Certificates and kubeconfigs of one test cluster. */

import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as yaml from "yaml";
import { type Authority, createAuthority, type KeyPairPem } from "../../../src/cluster/embedded/certificates.ts";

/** Who speaks to the API. */
export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
}

const MASTERS = ["system:masters"];

/** Users of the control plane and of people. */
export const IDENTITIES = {
  admin: { user: "kubernetes-admin", groups: MASTERS },
  kubeletClient: { user: "kube-apiserver-kubelet-client", groups: MASTERS },
  controllerManager: { user: "system:kube-controller-manager", groups: [] },
  scheduler: { user: "system:kube-scheduler", groups: [] },
  proxy: { user: "system:kube-proxy", groups: [] },
} as const satisfies Readonly<Record<string, Identity>>;

/** The user of a node's kubelet. */
export function kubeletIdentity(node: string): Identity {
  return { user: `system:node:${node}`, groups: ["system:nodes"] };
}

/** See the head of this file. */
export class ClusterPki {
  readonly #authority: Authority;
  readonly #server: string;

  private constructor(authority: Authority, server: string) {
    this.#authority = authority;
    this.#server = server;
  }

  /** @param server URL of the API */
  static async create(server: string): Promise<ClusterPki> {
    return new ClusterPki(await createAuthority("twill-test-cluster"), server);
  }

  get ca(): string {
    return this.#authority.caPem;
  }

  server(names: readonly string[]): Promise<KeyPairPem> {
    return this.#authority.server(names);
  }

  client({ user, groups }: Identity): Promise<KeyPairPem> {
    return this.#authority.client(user, groups);
  }

  /** A kubeconfig that needs no other file. */
  async kubeconfig(identity: Identity): Promise<string> {
    const { cert, key } = await this.client(identity);
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const name = "twill-test";
    return yaml.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server: this.#server, "certificate-authority-data": base64(this.ca) } }],
      users: [{ name, user: { "client-certificate-data": base64(cert), "client-key-data": base64(key) } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    });
  }
}

/** Writes what the control plane reads to a folder, by name. */
export async function writeControlFiles(pki: ClusterPki, directory: string, names: readonly string[]): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const put = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o600 });
  const [server, kubelet] = await Promise.all([pki.server(names), pki.client(IDENTITIES.kubeletClient)]);
  put("ca.crt", pki.ca);
  put("server.crt", server.cert);
  put("server.key", server.key);
  put("kubelet-client.crt", kubelet.cert);
  put("kubelet-client.key", kubelet.key);
  // Service accounts' tokens are signed with a key of their own, which is no certificate's.
  const accounts = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  put("accounts.pub", accounts.publicKey);
  put("accounts.key", accounts.privateKey);
  for (const [name, identity] of Object.entries(IDENTITIES)) put(`${name}.conf`, await pki.kubeconfig(identity));
}

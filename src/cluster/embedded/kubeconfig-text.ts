/** Kubeconfig files for the embedded API. */

import { open, rename, rm } from "node:fs/promises";
import type { KeyPairPem } from "./certificates.ts";

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** A kubeconfig with one context, everything inline. Values are JSON strings, which YAML takes as they are. */
export function kubeconfigText(options: {
  readonly server: string;
  readonly caPem: string;
  readonly user: string;
  readonly credentials: KeyPairPem | { readonly token: string };
}): string {
  const { server, caPem, user, credentials } = options;
  const secret =
    "token" in credentials
      ? [`    token: ${JSON.stringify(credentials.token)}`]
      : [`    client-certificate-data: ${base64(credentials.cert)}`, `    client-key-data: ${base64(credentials.key)}`];
  return `${[
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    "- name: twill",
    "  cluster:",
    `    server: ${JSON.stringify(server)}`,
    `    certificate-authority-data: ${base64(caPem)}`,
    "users:",
    `- name: ${JSON.stringify(user)}`,
    "  user:",
    ...secret,
    "contexts:",
    "- name: twill",
    "  context:",
    "    cluster: twill",
    `    user: ${JSON.stringify(user)}`,
    "current-context: twill",
  ].join("\n")}\n`;
}

/** Writes a file that only its owner can read, whole or not at all. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** A certificate authority of one server's life: the server's own certificate and those of its clients (ECDSA P-256). */

import { isIP } from "node:net";

/** A certificate and its key, PEM. */
export interface KeyPairPem {
  readonly cert: string;
  readonly key: string;
}

/** Issues certificates. */
export interface Authority {
  readonly caPem: string;
  /** For TLS servers: names and addresses in `subjectAltNames`. */
  server(subjectAltNames: readonly string[]): Promise<KeyPairPem>;
  /** For users: Kubernetes takes the name from CN and the groups from O. */
  client(user: string, groups: readonly string[]): Promise<KeyPairPem>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3600 * 1000;
/** The lab's certificates outlive any lab; they are made anew each time. */
const LIFETIME_MS = 365 * DAY_MS;

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Makes a new authority. */
export async function createAuthority(commonName: string): Promise<Authority> {
  // The library keeps its algorithms in a container that needs this; both are only loaded where certificates are made.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(globalThis.crypto);
  const { subtle } = globalThis.crypto;
  const newKeys = () => subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const notBefore = new Date(Date.now() - DAY_MS);
  const notAfter = new Date(Date.now() + LIFETIME_MS);
  const serial = () =>
    Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(16)))
      .toString("hex")
      .replace(/^[89a-f]/, "1");

  const caKeys = await newKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  async function issue(
    name: { [key: string]: string[] }[],
    purpose: "server" | "client",
    sans: readonly string[],
  ): Promise<KeyPairPem> {
    const keys = await newKeys();
    const usage = purpose === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
    const names = sans.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }));
    const cert = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: name,
      issuer: ca.subjectName,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ],
    });
    return {
      cert: `${cert.toString("pem").trim()}\n`,
      key: pem("PRIVATE KEY", await subtle.exportKey("pkcs8", keys.privateKey)),
    };
  }

  return {
    caPem: `${ca.toString("pem").trim()}\n`,
    server: (sans) => issue([{ CN: ["kube-apiserver"] }], "server", sans),
    client: (user, groups) => issue([...groups.map((g) => ({ O: [g] })), { CN: [user] }], "client", []),
  };
}

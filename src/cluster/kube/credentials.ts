/** How to reach a Kubernetes API and who to be there. */

/** A value that stands in a configuration, or lies in a file that may be replaced (a rotated token or certificate). */
export type Secret =
  | { readonly kind: "value"; readonly text: string }
  | { readonly kind: "file"; readonly path: string };

/** A connection's parameters, validated. */
export interface ConnectionConfig {
  /** `https://host:port` with an optional path; without a slash at its end. */
  readonly server: string;
  /** undefined: the system's authorities. */
  readonly ca: Secret | undefined;
  /** The server's certificate is not checked. */
  readonly isInsecure: boolean;
  /** Name that the server's certificate must carry, instead of the host of `server`. */
  readonly tlsServerName: string | undefined;
  readonly clientCert: Secret | undefined;
  readonly clientKey: Secret | undefined;
  readonly token: Secret | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
}

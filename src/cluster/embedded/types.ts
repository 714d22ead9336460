/**
 * The embedded Kubernetes API: what the lab that runs it sees.
 *
 * An in-process API server for a cluster in a box: kubectl, the agent's client and the lab's own controllers work on the
 * same objects. It keeps everything in memory and promises nothing about durability.
 */

import type { Readable, Writable } from "node:stream";

/** JSON as the API carries it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** `metadata` of any object; only what the server itself looks at is named. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly { readonly [key: string]: Json | undefined }[];
}

/** A reference to the object that an object belongs to. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** A stored object. Never written to: every change makes a new one. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  // biome-ignore lint/suspicious/noExplicitAny: the rest has the shape of its kind, which the reader knows
  readonly [field: string]: any;
}

/** An object to be created: the server fills in the rest of the metadata. */
export interface NewObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name?: string;
    readonly generateName?: string;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** Names one object. `namespace` is left out for cluster-wide kinds. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** A change as watchers see it. */
export interface ObjectEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
}

/** Which objects of a kind. */
export interface Selection {
  readonly apiVersion: string;
  readonly kind: string;
  /** undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Direct access for the lab's kubelets and controllers, with the same admission and validation as HTTP. All throw `ApiError`. */
export interface ObjectClient {
  create(object: NewObject): KubeObject;
  get(ref: ObjectRef): KubeObject | undefined;
  list(selection: Selection): readonly KubeObject[];
  /** Merge patch (RFC 7386) of the object or of one of its subresources. */
  patch(ref: ObjectRef, patch: Json, subresource?: "status"): KubeObject;
  /** Replaces when `metadata.resourceVersion` still is the stored one (left out: always). */
  update(object: NewObject, subresource?: "status"): KubeObject;
  /** Creates, or merges into what is there. */
  apply(object: NewObject): KubeObject;
  /**
   * Starts deletion. A pod on a node stays with a `deletionTimestamp` until its kubelet calls this with `graceSeconds` 0.
   * @returns false when there was no such object
   */
  delete(ref: ObjectRef, options?: { readonly graceSeconds?: number; readonly uid?: string }): boolean;
  /**
   * Calls `listener` for every object there is (as `ADDED`, during this call) and then for every change, in order,
   * right after the change was made. A listener must not throw, and should not do its work in the call.
   * @returns ends it
   */
  watch(selection: Selection, listener: (event: ObjectEvent) => void): () => void;
}

/** What `kubectl exec` and `attach` ask for. */
export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Empty for `attach`. */
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A running command. The server pipes the streams, and kills the command when the client goes away. */
export interface ExecSession {
  /** undefined when no standard input was asked for. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  /** undefined for a terminal: there everything comes by `stdout`. */
  readonly stderr: Readable | undefined;
  /** Resolves when the command has ended and its output is complete. */
  readonly exit: Promise<{ readonly code: number } | { readonly error: string }>;
  resize(columns: number, rows: number): void;
  kill(): void;
}

/** What `kubectl logs` asks for. */
export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Last lines to begin with; undefined: all that is kept. */
  readonly tailLines: number | undefined;
  /** Only lines from this Unix time on, milliseconds. */
  readonly sinceMs: number | undefined;
  readonly limitBytes: number | undefined;
}

/** What the API server asks of the kubelet that runs a pod. Refusals are thrown `Error`s whose message the user sees. */
export interface KubeletStreams {
  exec(request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  attach?(request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  /** Lines as they shall be shown; ends when there is nothing more, or with the signal. */
  logs(request: LogRequest, signal: AbortSignal): Promise<Readable>;
}

/** How the server is made. */
export interface EmbeddedApiOptions {
  /** Further names and addresses in the server's certificate, beside 127.0.0.1, ::1, localhost and kubernetes.default.svc. */
  readonly subjectAltNames?: readonly string[];
  readonly kubelet?: KubeletStreams;
  /** Events kept for each kind for resuming watchers; older resource versions answer 410 Gone. Default 4096. */
  readonly historyEvents?: number;
  /** Called with failures that no client can be told of. */
  readonly onError?: (error: unknown, doing: string) => void;
}

/** Where to listen: an open listening TCP socket (the server takes it over), or an address of this namespace. */
export type ListenTarget = { readonly fd: number } | { readonly host: string; readonly port: number };

/** A running embedded API. Disposing closes all listeners and connections. */
export interface EmbeddedApi extends AsyncDisposable {
  /** The certificate authority, PEM. */
  readonly caPem: string;
  readonly objects: ObjectClient;
  /** Starts a listener; several may be open. Port 0 takes a free one. */
  listen(target: ListenTarget): Promise<{ readonly address: string; readonly port: number }>;
  /** An administrator's kubeconfig (client certificate inside) for a server URL as `https://127.0.0.1:6443`. */
  kubeconfig(serverUrl: string): string;
  /** Writes that kubeconfig with mode 600, atomically. */
  writeKubeconfig(path: string, serverUrl: string): Promise<void>;
  /** Figures for status and tests. */
  stats(): {
    readonly objects: number;
    readonly watchers: number;
    readonly requests: number;
    readonly slowWatchersClosed: number;
  };
}

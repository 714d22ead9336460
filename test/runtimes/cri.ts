/** The runtime's side of what a kubelet says: runtime.v1.RuntimeService over gRPC on a Unix socket. */

import { type ClientHttp2Session, connect } from "node:http2";
import { createConnection } from "node:net";
import { encode, type Field, Message, mapFields } from "./protobuf.ts";

/** A gRPC call that ended with another status than OK. */
export class CriError extends Error {
  readonly code = "CRI_REFUSED";
  readonly grpcStatus: number;

  constructor(method: string, grpcStatus: number, message: string) {
    super(`Cannot ${method}: ${message} (gRPC status ${grpcStatus})`);
    this.name = "CriError";
    this.grpcStatus = grpcStatus;
  }
}

/** A sandbox to ask for. */
export interface SandboxSpec {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt?: number;
  readonly cgroupParent: string;
  readonly portMappings?: readonly { readonly containerPort: number; readonly hostPort: number }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a sandbox's status tells. */
export interface SandboxStatus {
  readonly isReady: boolean;
  /** The main address first. */
  readonly addresses: readonly string[];
  /** The runtime's own words, as containerd gives them in the `info` key. */
  readonly info: string;
}

const CALL_DEADLINE_MS = 60_000;

/** One connection to a runtime. */
export class CriClient implements Disposable {
  readonly #session: ClientHttp2Session;

  /** @param socketPath where the runtime listens */
  constructor(socketPath: string) {
    this.#session = connect("http://localhost", { createConnection: () => createConnection(socketPath) });
    // Every call has its own error; the session's would only end the process.
    this.#session.on("error", () => undefined);
  }

  /** Name and version of the runtime, as `containerd 1.6.20~ds1`. */
  async version(): Promise<string> {
    const answer = await this.#call("Version", []);
    return `${answer.text(2)} ${answer.text(3)}`;
  }

  /** The runtime's conditions, as `NetworkReady` with undefined when it holds and the reason when it does not. */
  async conditions(): Promise<Map<string, string | undefined>> {
    const answer = await this.#call("Status", []);
    const conditions = answer.messages(1).flatMap((status) => status.messages(1));
    return new Map(conditions.map((c) => [c.text(1), c.number(2) === 1 ? undefined : `${c.text(3)}: ${c.text(4)}`]));
  }

  /** @returns the sandbox's id @throws CriError with the plugin's message when the network refuses */
  async runSandbox(spec: SandboxSpec): Promise<string> {
    const answer = await this.#call("RunPodSandbox", [[1, sandboxConfig(spec)]]);
    return answer.text(1);
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#call("StopPodSandbox", [[1, id]]);
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#call("RemovePodSandbox", [[1, id]]);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus> {
    const answer = await this.#call("PodSandboxStatus", [
      [1, id],
      [2, 1],
    ]);
    const [status] = answer.messages(1);
    const [network] = status?.messages(5) ?? [];
    const more = network?.messages(2).map((ip) => ip.text(1)) ?? [];
    const info = answer.messages(2).find((entry) => entry.text(1) === "info");
    return {
      isReady: status?.number(3) === 0,
      addresses: [network?.text(1) ?? "", ...more].filter((address) => address !== ""),
      info: info?.text(2) ?? "",
    };
  }

  /** Ids of all sandboxes. */
  async sandboxes(): Promise<string[]> {
    const answer = await this.#call("ListPodSandbox", []);
    return answer.messages(1).map((item) => item.text(1));
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }

  #call(method: string, request: readonly Field[]): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/runtime.v1.RuntimeService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status = -1;
    let message = "no status came";
    const note = (headers: Record<string, unknown>): void => {
      if (headers["grpc-status"] === undefined) return;
      status = Number(headers["grpc-status"]);
      message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status !== 0) return reject(new CriError(method, status, message));
      // A unary answer is one frame: a byte for compression (never asked for), four of length, the message.
      resolve(new Message(Buffer.concat(chunks).subarray(5)));
    });
    stream.setTimeout(CALL_DEADLINE_MS, () => stream.destroy(new CriError(method, 4, "no answer in time")));
    stream.end(frame(encode(request)));
    return promise;
  }
}

function frame(message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function sandboxConfig(spec: SandboxSpec): Field[] {
  const mappings = (spec.portMappings ?? []).map(
    (mapping): Field => [
      5,
      [
        [2, mapping.containerPort],
        [3, mapping.hostPort],
      ],
    ],
  );
  return [
    [
      1,
      [
        [1, spec.name],
        [2, spec.uid],
        [3, spec.namespace],
        [4, spec.attempt ?? 0],
      ],
    ],
    [2, spec.name],
    ...mappings,
    ...mapFields(7, spec.annotations ?? {}),
    [8, [[1, spec.cgroupParent]]],
  ];
}

/**
 * The test cluster's API for this process: through `kubectl proxy` on a Unix socket, since the API itself is on a wire
 * that this machine has no leg on. Quicker than a kubectl for each question, and as real.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { enterCommand } from "../../../src/lab/box.ts";
import { waitFor } from "../../fixture/sandbox.ts";
import type { KubeCluster } from "./cluster.ts";

/** An object as it is sent. */
export interface SentObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** A kind in one of its versions. */
export interface KindRef {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The API refused. */
export class ApiError extends Error {
  readonly code = "API_REFUSED";
  readonly status: number;

  constructor(what: string, status: number, body: string) {
    super(`Cannot ${what}: ${status}: ${body.slice(0, 1000)}`);
    this.name = "ApiError";
    this.status = status;
  }
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const START_MS = 60_000;
const REQUEST_MS = 60_000;
const NOT_FOUND = 404;
const JSON_TYPE = "application/json";
const APPLY_TYPE = "application/apply-patch+yaml";

/** See the head of this file. */
export class KubeApi implements Disposable {
  readonly #socket: string;
  readonly #proxy: ChildProcess;
  readonly #resources = new Map<string, readonly Resource[]>();

  private constructor(socket: string, proxy: ChildProcess) {
    this.#socket = socket;
    this.#proxy = proxy;
  }

  static async open(cluster: KubeCluster): Promise<KubeApi> {
    const socket = join(cluster.directory, "api.sock");
    const argv = ["kubectl", "--kubeconfig", cluster.adminConfig, "proxy", `--unix-socket=${socket}`];
    // A test that is killed takes the proxy along.
    const inside = enterCommand(cluster.underlay.api, argv, { isNetOnly: true });
    const proxy = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...inside], { stdio: "ignore" });
    const api = new KubeApi(socket, proxy);
    await waitFor("kubectl proxy", () => existsSync(socket), START_MS);
    return api;
  }

  /** Sends and reads JSON. @throws ApiError for every answer but 2xx */
  send<T>(method: string, path: string, body?: object, contentType = JSON_TYPE): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? "" : JSON.stringify(body);
      const headers = { "content-type": contentType, "content-length": Buffer.byteLength(text) };
      const asked = request({ socketPath: this.#socket, method, path, headers, timeout: REQUEST_MS }, (res) => {
        let said = "";
        res.setEncoding("utf8").on("data", (chunk: string) => {
          said += chunk;
        });
        res.once("error", reject).once("end", () => {
          const status = res.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(JSON.parse(said) as T);
          else reject(new ApiError(`${method} ${path}`, status, said));
        });
      });
      asked.once("timeout", () => asked.destroy(new Error(`${method} ${path} took more than ${REQUEST_MS} ms`)));
      asked.once("error", reject).end(text);
    });
  }

  /** Every object of a kind, in all namespaces or in one. */
  async list<T>(ref: KindRef, namespace?: string): Promise<readonly T[]> {
    const { items } = await this.send<{ items: T[] }>("GET", await this.#path(ref, namespace));
    return items;
  }

  /** Makes an object as it is given or changes it to that, by server-side apply. */
  apply(object: SentObject): Promise<void> {
    return this.#applyAs("twill-test", object);
  }

  /** Gives an object the labels that it has here and takes those of an earlier call. */
  relabel({ apiVersion, kind, metadata }: SentObject): Promise<void> {
    return this.#applyAs("twill-test-labels", { apiVersion, kind, metadata });
  }

  /** What a manager has said before and does not say any more is taken away. */
  async #applyAs(manager: string, object: SentObject): Promise<void> {
    const query = `?fieldManager=${manager}&force=true`;
    await this.send("PATCH", (await this.#pathOf(object)) + query, object, APPLY_TYPE);
  }

  async create(object: SentObject): Promise<void> {
    await this.send("POST", await this.#path(object, object.metadata.namespace), object);
  }

  /** Does nothing when there is no such object. */
  async delete(object: SentObject): Promise<void> {
    try {
      await this.send("DELETE", await this.#pathOf(object));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === NOT_FOUND)) throw error;
    }
  }

  /** Deletes every object of these kinds. */
  async clear(kinds: readonly KindRef[]): Promise<void> {
    const all = await Promise.all(kinds.map((k) => this.list<{ readonly metadata: SentObject["metadata"] }>(k)));
    await Promise.all(kinds.flatMap((k, i) => (all[i] ?? []).map(({ metadata }) => this.delete({ ...k, metadata }))));
  }

  async #pathOf(object: SentObject): Promise<string> {
    return `${await this.#path(object, object.metadata.namespace)}/${object.metadata.name}`;
  }

  async #path({ apiVersion, kind }: KindRef, namespace: string | undefined): Promise<string> {
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const resource = await this.#resource(root, kind);
    return resource.namespaced && namespace !== undefined
      ? `${root}/namespaces/${namespace}/${resource.name}`
      : `${root}/${resource.name}`;
  }

  async #resource(root: string, kind: string): Promise<Resource> {
    const find = () => this.#resources.get(root)?.find((r) => r.kind === kind && !r.name.includes("/"));
    // What was not there may have been defined since.
    if (find() === undefined)
      this.#resources.set(root, (await this.send<{ resources: Resource[] }>("GET", root)).resources);
    const found = find();
    if (found === undefined) throw new Error(`The API has no kind "${kind}" in ${root}`);
    return found;
  }

  [Symbol.dispose](): void {
    this.#proxy.kill("SIGKILL");
  }
}

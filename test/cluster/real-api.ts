/** For tests: a real kube-apiserver with an etcd of its own on 127.0.0.1, where this machine has their programs. */

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createAuthority } from "../../src/cluster/embedded/certificates.ts";
import { type Connection, createConnection } from "../../src/cluster/kube/connection.ts";
import type { ConnectionConfig } from "../../src/cluster/kube/credentials.ts";
import { programDirectory } from "./kube/programs.ts";

/** Programs of a real API. */
export interface RealPrograms {
  readonly apiserver: string;
  readonly etcd: string;
}

function findProgram(name: string, more: readonly string[]): string | undefined {
  const places = [...more, ...(process.env["PATH"] ?? "").split(delimiter).map((d) => join(d, name))];
  return places.find((p) => {
    try {
      accessSync(p, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** `$TWILL_KUBE_APISERVER` and `$TWILL_ETCD`, PATH, or what a build of Debian's source package left in the cache. @returns why not, as text */
export function findRealPrograms(): RealPrograms | string {
  const named = (key: string) => (process.env[key] ? [process.env[key]] : []);
  const cache = join(programDirectory(), "kube-apiserver");
  const apiserver = findProgram("kube-apiserver", [...named("TWILL_KUBE_APISERVER"), cache]);
  const etcd = findProgram("etcd", named("TWILL_ETCD"));
  if (apiserver === undefined) return "there is no kube-apiserver (TWILL_KUBE_APISERVER or PATH)";
  return etcd === undefined ? "there is no etcd (TWILL_ETCD or PATH)" : { apiserver, etcd };
}

/** A running API. */
export interface RealApi extends AsyncDisposable {
  readonly config: ConnectionConfig;
  readonly connection: Connection;
  /** Kills the server and starts it anew on the same port, with the same data. */
  restart(): Promise<void>;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return gone;
}

/** What a server that is ready has: a namespace that it makes a moment later, and what its admission asks, without which it refuses. */
const READY_PATHS = ["/api/v1/namespaces/default", "/readyz"];

async function untilReady(connection: Connection, child: ChildProcess, log: () => string): Promise<void> {
  const until = performance.now() + 120_000;
  const has = (path: string) =>
    connection.stream({ method: "GET", path, signal: AbortSignal.timeout(5000) }).then(
      (res) => res.resume() !== undefined,
      () => false,
    );
  for (;;) {
    const isLast = performance.now() > until;
    if ((await Promise.all(READY_PATHS.map(has))).every(Boolean)) return;
    if (child.exitCode !== null || isLast) throw new Error(`The kube-apiserver did not start:\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function apiserverArgs(dir: string, port: number, etcdUrl: string): string[] {
  const file = (name: string) => join(dir, name);
  return [
    // As every cluster has it: agents of networks are privileged.
    "--allow-privileged=true",
    `--etcd-servers=${etcdUrl}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${port}`,
    `--tls-cert-file=${file("server.crt")}`,
    `--tls-private-key-file=${file("server.key")}`,
    `--client-ca-file=${file("ca.crt")}`,
    `--cert-dir=${dir}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${file("server.crt")}`,
    `--service-account-signing-key-file=${file("server.key")}`,
    "--authorization-mode=RBAC",
    // It would wait for accounts that only a controller makes.
    "--disable-admission-plugins=ServiceAccount",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--profiling=false",
  ];
}

/** Starts etcd and a kube-apiserver. A port that was free may be somebody else's when they ask for it: then with others. */
export async function startRealApi(programs: RealPrograms): Promise<RealApi> {
  for (let tries = 3; ; tries--)
    try {
      return await startOnce(programs);
    } catch (error) {
      if (tries === 1 || !String(error).includes("address already in use")) throw error;
    }
}

async function startOnce(programs: RealPrograms): Promise<RealApi> {
  const dir = mkdtempSync(join(tmpdir(), "twill-real-api-"));
  const [clientPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const authority = await createAuthority("twill-test");
  const [server, admin] = await Promise.all([
    authority.server(["127.0.0.1", "localhost"]),
    authority.client("admin", ["system:masters"]),
  ]);
  for (const [name, text] of [
    ["ca.crt", authority.caPem],
    ["server.crt", server.cert],
    ["server.key", server.key],
  ] as const)
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  let log = "";
  const run = (file: string, args: string[]): ChildProcess => {
    const child = spawn(file, args, { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr?.on("data", (data: Buffer) => {
      log = (log + data.toString()).slice(-8000);
    });
    return child;
  };
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
  const etcd = run(programs.etcd, [
    `--data-dir=${join(dir, "etcd")}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    "--unsafe-no-fsync",
  ]);
  const value = (text: string) => ({ kind: "value", text }) as const;
  const config: ConnectionConfig = {
    server: `https://127.0.0.1:${port}`,
    ca: value(authority.caPem),
    isInsecure: false,
    tlsServerName: undefined,
    clientCert: value(admin.cert),
    clientKey: value(admin.key),
    token: undefined,
    basic: undefined,
  };
  const connection = createConnection(config, { userAgent: "twill-test", perSecond: 1000, burst: 1000 });
  const args = apiserverArgs(dir, port, clientUrl);
  let apiserver = run(programs.apiserver, args);
  async function dispose(): Promise<void> {
    connection[Symbol.dispose]();
    await end(apiserver);
    await end(etcd);
    if (existsSync(dir)) rmSync(dir, { recursive: true, force: true });
  }
  try {
    await untilReady(connection, apiserver, () => log);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    config,
    connection,
    async restart() {
      await end(apiserver);
      apiserver = run(programs.apiserver, args);
      await untilReady(connection, apiserver, () => log);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

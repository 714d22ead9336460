/** The embedded API server: its parts put together, and its listeners. */

import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { authenticate, createTokens } from "./authentication.ts";
import { createAuthority } from "./certificates.ts";
import type { ServerContext } from "./context.ts";
import { startCustomResources } from "./custom-resources.ts";
import { createDeferred } from "./deferred.ts";
import { startGarbageCollector } from "./garbage-collector.ts";
import { kubeconfigText, writePrivateFile } from "./kubeconfig-text.ts";
import { FIRST_NAMESPACES, startNamespaces } from "./namespaces.ts";
import { createObjectClient } from "./objects.ts";
import { createOperations } from "./operations.ts";
import { createPager } from "./paging.ts";
import { createExecUpgrade } from "./pod-exec.ts";
import { createRegistry } from "./registry.ts";
import { handleRequest } from "./router.ts";
import { createStorage } from "./storage.ts";
import type { EmbeddedApi, EmbeddedApiOptions, ListenTarget } from "./types.ts";

const DEFAULT_HISTORY = 4096;
const ADMIN = "kubernetes-admin";
const OWN_NAMES = [
  "localhost",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "127.0.0.1",
  "::1",
  // The address of the Service `kubernetes`.
  "10.96.0.1",
];

/** The parts of a server without any listener, for tests of rules. */
export function createCore(options: EmbeddedApiOptions, caPem: string) {
  const onError =
    options.onError ??
    ((error: unknown, doing: string) => process.emitWarning(`Embedded API: ${doing}: ${String(error)}`));
  // By the clock, so that a revision that a client remembers of an earlier server is older than all of this one's.
  const storage = createStorage(options.historyEvents ?? DEFAULT_HISTORY, Date.now());
  const registry = createRegistry();
  const operations = createOperations(storage);
  const objects = createObjectClient(registry, storage, operations);
  const deferred = createDeferred(onError);
  const stops = [
    startGarbageCollector(storage, registry, operations, deferred),
    startNamespaces({ storage, registry, operations, objects, deferred }, caPem),
    startCustomResources(storage, registry, objects),
  ];
  for (const name of FIRST_NAMESPACES) objects.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  objects.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: { ports: [{ name: "https", port: 443, targetPort: 6443, protocol: "TCP" }] },
  });
  const context: ServerContext = {
    storage,
    registry,
    operations,
    objects,
    pager: createPager(storage),
    tokens: createTokens(),
    watches: { open: 0, slowClosed: 0 },
    kubelet: options.kubelet,
    onError,
  };
  const stop = () => {
    deferred.stop();
    for (const s of stops) s();
  };
  return { context, deferred, stop };
}

function closeServer(server: Server, sockets: ReadonlySet<Duplex>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
    for (const socket of sockets) socket.destroy();
  });
}

/** Makes an API server; it listens where {@link EmbeddedApi.listen} is told to. */
export async function createEmbeddedApi(options: EmbeddedApiOptions = {}): Promise<EmbeddedApi> {
  const authority = await createAuthority("twill-embedded-api");
  const names = [...new Set([...OWN_NAMES, ...(options.subjectAltNames ?? [])])];
  const [own, admin] = await Promise.all([authority.server(names), authority.client(ADMIN, ["system:masters"])]);
  const { context, stop } = createCore(options, authority.caPem);
  const upgrade = createExecUpgrade(context);
  const servers: { readonly server: Server; readonly sockets: Set<Duplex> }[] = [];
  let requests = 0;
  const tls = {
    cert: own.cert,
    key: own.key,
    ca: authority.caPem,
    requestCert: true,
    rejectUnauthorized: false,
  } as const;

  function start(target: ListenTarget): Promise<{ address: string; port: number }> {
    const server = createServer({ ...tls, keepAliveTimeout: 120_000 }, (req, res) => {
      requests++;
      void handleRequest(context, req, res);
    });
    const sockets = new Set<Duplex>();
    // Before its handshake is done, too: nobody else would end one that is in the middle of it.
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => {
      requests++;
      upgrade(req, socket, head, authenticate(req, context.tokens));
    });
    // A client that breaks off its handshake is its own affair.
    server.on("tlsClientError", () => {});
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen("fd" in target ? { fd: target.fd } : { host: target.host, port: target.port }, () => {
        server.off("error", reject);
        server.on("error", (error) => context.onError(error, "listening"));
        servers.push({ server, sockets });
        const { address, port } = server.address() as AddressInfo;
        resolve({ address, port });
      });
    });
  }

  const configFor = (server: string) =>
    kubeconfigText({ server, caPem: authority.caPem, user: ADMIN, credentials: admin });
  return {
    caPem: authority.caPem,
    objects: context.objects,
    listen: start,
    kubeconfig: configFor,
    writeKubeconfig: (path, serverUrl) => writePrivateFile(path, configFor(serverUrl)),
    stats: () => ({
      objects: context.storage.count(),
      watchers: context.watches.open,
      requests,
      slowWatchersClosed: context.watches.slowClosed,
    }),
    async [Symbol.asyncDispose]() {
      stop();
      await Promise.all(servers.splice(0).map(({ server, sockets }) => closeServer(server, sockets)));
    },
  };
}

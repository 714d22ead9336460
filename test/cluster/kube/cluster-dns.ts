/**
 * A cluster's DNS, small enough to be read: `SERVICE.NAMESPACE.svc.cluster.local` by A and AAAA over UDP, headless services by
 * their ready endpoints. It runs in a pod, and asks the API at its Service as every pod may. Debian has no such program.
 */

import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { request } from "node:https";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const ZONE = ["svc", "cluster", "local"];
const TYPES: Readonly<Record<number, "IPv4" | "IPv6">> = { 1: "IPv4", 28: "IPv6" };
const TTL_SECONDS = 1;
const HEADER_BYTES = 12;
const NAME_ERROR = 3;

interface Listed<T> {
  readonly items: readonly (T & { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } })[];
}

interface Slice {
  readonly addressType: string;
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: { ready?: boolean } }[];
}

interface Service {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly clusterIPs?: readonly string[] };
}

function list<T>(path: string): Promise<Listed<T>> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const headers = { authorization: `Bearer ${readFileSync(`${ACCOUNT}/token`, "utf8")}` };
  const ca = readFileSync(`${ACCOUNT}/ca.crt`);
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, headers, ca, timeout: 5_000 }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      res.once("end", () => {
        if (res.statusCode === 200) resolve(JSON.parse(text) as Listed<T>);
        else reject(new Error(`Cannot list ${path}: ${res.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    asked.once("timeout", () => asked.destroy(new Error(`Cannot list ${path}: it took too long`)));
    asked.once("error", reject).end();
  });
}

/** Addresses of a name; undefined: there is no such service. */
async function addressesOf(
  service: string,
  namespace: string,
  family: "IPv4" | "IPv6",
): Promise<readonly string[] | undefined> {
  const services = await list<Service>(`/api/v1/namespaces/${namespace}/services`);
  const found = services.items.find((s) => s.metadata.name === service);
  if (found === undefined) return undefined;
  const own = found.spec.clusterIPs ?? [];
  if (!own.includes("None")) return own.filter((ip) => ip.includes(":") === (family === "IPv6"));
  const slices = await list<Slice>(`/apis/discovery.k8s.io/v1beta1/namespaces/${namespace}/endpointslices`);
  return slices.items
    .filter((s) => s.metadata.labels?.["kubernetes.io/service-name"] === service && s.addressType === family)
    .flatMap((s) => s.endpoints ?? [])
    .filter((e) => e.conditions?.ready !== false)
    .flatMap((e) => e.addresses);
}

/** RFC 1035, section 4.1.2. */
function readQuestion(data: Buffer): {
  readonly labels: readonly string[];
  readonly type: number;
  readonly end: number;
} {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = data.readUInt8(at); length > 0; length = data.readUInt8(at)) {
    labels.push(data.toString("latin1", at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { labels, type: data.readUInt16BE(at + 1), end: at + 5 };
}

function addressBytes(text: string): Buffer {
  if (!text.includes(":")) return Buffer.from(text.split(".").map(Number));
  const [left = "", right] = text.split("::");
  const words = (part: string | undefined) => (part === undefined || part === "" ? [] : part.split(":"));
  const [head, tail] = [words(left), words(right)];
  const all = [...head, ...new Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return Buffer.from(all.map((w) => w.padStart(4, "0")).join(""), "hex");
}

/** Section 4.1.3; the name is the question's. */
function record(type: number, address: string): Buffer {
  const bytes = addressBytes(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(bytes.length, 10);
  return Buffer.concat([head, bytes]);
}

/** The answer to a query. @throws RangeError for what is no query, and what the API throws */
async function answerTo(query: Buffer): Promise<Buffer> {
  const { labels, type, end } = readQuestion(query);
  const [service = "", namespace = "", ...zone] = labels;
  const family = TYPES[type];
  const isOurs = zone.join(".") === ZONE.join(".");
  const found = isOurs ? await addressesOf(service, namespace, family ?? "IPv4") : undefined;
  const records = family === undefined ? [] : (found ?? []).map((a) => record(type, a));
  const head = Buffer.from(query.subarray(0, HEADER_BYTES));
  // Answer, authoritative; recursion as it was asked for, and available.
  head.writeUInt16BE(0x8480 | (query.readUInt16BE(2) & 0x0100) | (found === undefined ? NAME_ERROR : 0), 2);
  for (const [offset, count] of [1, records.length, 0, 0].entries()) head.writeUInt16BE(count, 4 + 2 * offset);
  return Buffer.concat([head, query.subarray(HEADER_BYTES, end), ...records]);
}

for (const type of ["udp4", "udp6"] as const) {
  const socket = createSocket({ type, ...(type === "udp6" ? { ipv6Only: true } : {}) });
  socket.on("message", (query, from) => {
    // Who gets no answer asks again.
    const failed = (error: unknown) => process.stderr.write(`${String(error)}\n`);
    answerTo(query).then((text) => socket.send(text, from.port, from.address, () => {}), failed);
  });
  socket.bind(53);
}
process.on("SIGTERM", () => process.exit(0));

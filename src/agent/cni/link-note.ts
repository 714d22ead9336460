/**
 * What an attachment is, as text on its host end: a node whose ledger was lost knows its pods again by it. One line of fields
 * with a space between them; what is no printable ASCII is written as in URLs.
 */

import { MAX_ALIAS_BYTES } from "../../kernel/kernel.ts";
import { extrasOfText, extrasText } from "../../ledger/extras.ts";
import type { Endpoint } from "../../model/endpoint.ts";

/** What the kernel does not show of an attachment. */
export type NotedEndpoint = Pick<
  Endpoint,
  | "network"
  | "containerId"
  | "ifname"
  | "netnsPath"
  | "download"
  | "upload"
  | "hostPorts"
  | "podNamespace"
  | "podName"
  | "podUid"
>;

/** Begins every note: the second has its ids packed. Another number would be another list of fields. */
const [PLAIN, PACKED] = ["twill/1", "twill/2"];
const FIELDS = 8;
const IDS = /[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function escapeField(text: string | undefined): string {
  return (text ?? "").replace(/[^!-$&-~]/gu, (c) => encodeURIComponent(c));
}

/** Digests and UUIDs, as runtimes name containers and namespaces, take two thirds of the room in base64. */
function packField(text: string | undefined): string {
  const pack = (id: string) =>
    `~${id.includes("-") ? "u" : "h"}${Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url")}`;
  return escapeField(text).replaceAll("~", "%7E").replace(IDS, pack);
}

function unpackField(text: string): string {
  return text.replace(/~u([\w-]{22})|~h([\w-]{43})/g, (_, uuid?: string, digest?: string) => {
    const hex = Buffer.from(uuid ?? digest ?? "", "base64url").toString("hex");
    return uuid === undefined ? hex : hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  });
}

/**
 * The note of an attachment. Where there is no room ids are packed, then what need not be known is left out.
 * @returns undefined when the rest is too long still: namespace and name of a pod of more than some 150 characters together
 */
export function noteOf(e: NotedEndpoint): string | undefined {
  const attachment = [e.network, e.containerId, e.ifname, e.netnsPath];
  const needed = [...attachment, extrasText(e) ?? undefined, e.podNamespace, e.podName];
  const packed = [PACKED, ...needed.map(packField)];
  return [[PLAIN, ...[...needed, e.podUid].map(escapeField)], [...packed, packField(e.podUid)], packed]
    .map((fields) => fields.join(" "))
    .find((text) => text.length <= MAX_ALIAS_BYTES);
}

/** Reads a note. @returns undefined for what is none */
export function readNote(text: string): NotedEndpoint | undefined {
  const [head, ...written] = text.split(" ");
  if (head !== PLAIN && head !== PACKED) return undefined;
  const escaped = head === PACKED ? written.map(unpackField) : written;
  if (escaped.length < FIELDS - 1 || escaped.length > FIELDS) return undefined;
  try {
    const [network = "", containerId = "", ifname = "", netnsPath = "", extras, ...pod] =
      escaped.map(decodeURIComponent);
    if ([network, containerId, ifname, netnsPath].includes("")) return undefined;
    const [podNamespace, podName, podUid] = [0, 1, 2].map((i) => pod[i] || undefined);
    const names = { network, containerId, ifname, netnsPath, podNamespace, podName, podUid };
    return { ...names, ...extrasOfText("a device's note", extras || undefined) };
  } catch {
    return undefined;
  }
}

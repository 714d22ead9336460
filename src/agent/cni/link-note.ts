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

/** Begins every note; another number would be another list of fields. */
const HEAD = "twill/1";
const FIELDS = 8;

function escapeField(text: string | undefined): string {
  return (text ?? "").replace(/[^!-$&-~]/gu, (c) => encodeURIComponent(c));
}

/**
 * The note of an attachment. What need not be known is left out where there is no room.
 * @returns undefined when the rest is too long still: names of more than some 100 characters together
 */
export function noteOf(e: NotedEndpoint): string | undefined {
  const attachment = [HEAD, e.network, e.containerId, e.ifname, e.netnsPath];
  const needed = [...attachment, extrasText(e) ?? undefined, e.podNamespace, e.podName];
  return [[...needed, e.podUid], needed]
    .map((fields) => fields.map(escapeField).join(" "))
    .find((text) => text.length <= MAX_ALIAS_BYTES);
}

/** Reads a note. @returns undefined for what is none */
export function readNote(text: string): NotedEndpoint | undefined {
  const [head, ...escaped] = text.split(" ");
  if (head !== HEAD || escaped.length < FIELDS - 1 || escaped.length > FIELDS) return undefined;
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

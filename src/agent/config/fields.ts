/** Field types of the configuration: text as people write it → values as the code uses them. */

import * as z from "zod";
import { err, ok, type Result } from "../../base/result.ts";
import { apiServerUrl } from "../../cluster/kube/find-config.ts";
import { isLabelKey } from "../../model/policy/label-selector.ts";
import { type Family, parseAddr } from "../../net/addr.ts";
import { type Prefix, parsePrefix } from "../../net/prefix.ts";
import { type AddrRange, parseRange } from "../../net/range.ts";
import { type AddressMethod, devicePattern } from "../../plan/node-address.ts";
import type { PortRange } from "../../plan/settings.ts";
import type { FailsafePort } from "../../policy/failsafe.ts";

/** A CIDR without host bits. */
export const cidr = z.string().transform((text, ctx): Prefix => {
  const r = parsePrefix(text);
  if (r.ok) return r.value;
  ctx.issues.push({ code: "custom", message: r.error, input: text });
  return z.NEVER;
});

/** A CIDR, an address, or `first-last`. */
export const addrRange = z.string().transform((text, ctx): AddrRange => {
  const r = parseRange(text);
  if (r.ok) return r.value;
  ctx.issues.push({ code: "custom", message: r.error, input: text });
  return z.NEVER;
});

/** `first-last`, both inclusive, above the ports that servers of a node use. */
export const portRange = z.string().transform((text, ctx): PortRange => {
  const m = /^([0-9]{1,5})-([0-9]{1,5})$/.exec(text);
  const range = { first: Number(m?.[1]), last: Number(m?.[2]) };
  if (m === null || range.first < 1024 || range.last > 65535 || range.last - range.first < 255)
    ctx.issues.push({
      code: "custom",
      message: `"${text}" is not a range of at least 256 ports between 1024 and 65535, such as 10240-29999`,
      input: text,
    });
  return range;
});

const FAILSAFE_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["TCP", 6],
  ["UDP", 17],
  ["SCTP", 132],
]);

/** `PORT/PROTOCOL` for everybody, `PORT/PROTOCOL@CIDR` for who has such an address. */
export const failsafePort = z.string().transform((text, ctx): FailsafePort => {
  const m = /^([0-9]{1,5})\/(TCP|UDP|SCTP)(?:@(.+))?$/.exec(text);
  const port = Number(m?.[1]);
  const net = m?.[3] === undefined ? undefined : parsePrefix(m[3]);
  if (m === null || port < 1 || port > 65535)
    ctx.issues.push({
      code: "custom",
      message: `"${text.slice(0, 96)}" is not PORT/PROTOCOL or PORT/PROTOCOL@CIDR, such as 22/TCP or 22/TCP@10.0.0.0/8`,
      input: text,
    });
  else if (net?.ok === false) ctx.issues.push({ code: "custom", message: net.error, input: text });
  const nets = net?.ok === true ? [net.value] : [];
  return { protocol: FAILSAFE_PROTOCOLS.get(m?.[2] ?? "") ?? 0, port, nets };
});

/** As {@link failsafePort} reads it. */
export function failsafeText({ protocol, port, nets: [net] }: FailsafePort): string {
  const [name] = [...FAILSAFE_PROTOCOLS].find(([, number]) => number === protocol) ?? [String(protocol)];
  return `${port}/${name}${net === undefined ? "" : `@${net.text}`}`;
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` or `[HOST]:PORT`; `off`: do not listen. */
export const listen = z.string().transform((text, ctx): ListenAddress | undefined => {
  if (text === "off") return undefined;
  const m = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(m?.[3]);
  if (m === null || port > 65535)
    ctx.issues.push({ code: "custom", message: `"${text}" is not HOST:PORT, [HOST]:PORT or off`, input: text });
  return { host: m?.[1] ?? m?.[2] ?? "", port };
});

/** Where objects of the cluster come from. */
export type ClusterChoice = { readonly kind: "kube" } | { readonly kind: "dir"; readonly path: string };

/** `kube` or `dir:PATH`. */
export const clusterChoice = z.string().transform((text, ctx): ClusterChoice => {
  if (text === "kube") return { kind: "kube" };
  if (/^dir:./.test(text)) return { kind: "dir", path: text.slice(4) };
  ctx.issues.push({ code: "custom", message: `"${text}" is neither kube nor dir:PATH`, input: text });
  return { kind: "kube" };
});

const ADDRESS_METHODS =
  "internal-ip, first-found, interface=NAMES, skip-interface=NAMES, cidr=CIDRS or can-reach=ADDRESS";

function parseMethod(text: string): Result<AddressMethod> {
  const [, kind = "", value] = /^([a-z-]+)(?:=(.+))?$/.exec(text) ?? [];
  if (value === undefined) {
    // The second word is Calico's.
    if (kind === "internal-ip" || kind === "kubernetes-internal-ip") return ok({ kind: "internal-ip" });
    return kind === "first-found" ? ok({ kind }) : err(`"${text.slice(0, 96)}" is none of ${ADDRESS_METHODS}`);
  }
  const parts = value.split(",").map((p) => p.trim());
  if (kind === "interface" || kind === "skip-interface") {
    const patterns = parts.map(devicePattern);
    const wrong = patterns.find((p) => !p.ok);
    return wrong?.ok === false ? wrong : ok({ kind, patterns: patterns.flatMap((p) => (p.ok ? [p.value] : [])) });
  }
  if (kind === "cidr") {
    const cidrs = parts.map(parsePrefix);
    const wrong = cidrs.find((c) => !c.ok);
    return wrong?.ok === false ? wrong : ok({ kind, cidrs: cidrs.flatMap((c) => (c.ok ? [c.value] : [])) });
  }
  if (kind !== "can-reach") return err(`"${text.slice(0, 96)}" is none of ${ADDRESS_METHODS}`);
  const to = parseAddr(value);
  return to.ok ? ok({ kind, to: to.value }) : to;
}

/** How a node's address of a family is found. */
export function addressMethod(family: Family) {
  return z
    .string()
    .max(1024)
    .transform((text, ctx): AddressMethod => {
      const r = parseMethod(text);
      const complain = (message: string) => void ctx.issues.push({ code: "custom", message, input: text });
      if (!r.ok) complain(r.error);
      else if (r.value.kind === "can-reach" && r.value.to.family !== family)
        complain(`"${r.value.to.text}" is no IPv${family} address`);
      else if (r.value.kind === "cidr" && r.value.cidrs.some((c) => c.family !== family))
        complain(`"${text}" has CIDRs of another family than IPv${family}`);
      return r.ok ? r.value : z.NEVER;
    });
}

/** `https://HOST:PORT` of an API. */
export const apiServer = z.string().transform((text, ctx): string => {
  const url = apiServerUrl(text);
  if (url === undefined)
    ctx.issues.push({ code: "custom", message: `"${text.slice(0, 96)}" is not https://HOST:PORT`, input: text });
  return url ?? z.NEVER;
});

/** Key of a taint; `none`: undefined. */
export const startupTaint = z.string().transform((text, ctx): string | undefined => {
  if (text === "none") return undefined;
  if (!isLabelKey(text))
    ctx.issues.push({
      code: "custom",
      message: `"${text.slice(0, 96)}" is neither none nor the key of a taint such as twill.dev/agent-not-ready`,
      input: text,
    });
  return text;
});

/** An absolute path. */
export const absolutePath = z.string().regex(/^\/[^\0]*$/, "An absolute path is wanted");

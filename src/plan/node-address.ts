/** Which of a node's addresses other nodes reach it by, when it is not the InternalIP that the cluster says. Pure. */

import { err, ok, type Result } from "../base/result.ts";
import { type Addr, addrEqual, type Family } from "../net/addr.ts";
import { type InterfaceAddr, type Prefix, prefixHas } from "../net/prefix.ts";
import { isNodeLink, isPodDevice } from "./names.ts";

/** How an address is found; the words are Calico's. */
export type AddressMethod =
  /** What the Node object says. */
  | { readonly kind: "internal-ip" }
  /** The first address of the first device that is no bridge of pods, no tunnel and the like. */
  | { readonly kind: "first-found" }
  /** As before, of the first device that one of the patterns matches, in their order. */
  | { readonly kind: "interface"; readonly patterns: readonly DevicePattern[] }
  /** As before, of the first device that none of them matches. */
  | { readonly kind: "skip-interface"; readonly patterns: readonly DevicePattern[] }
  /** The first address that lies in one of these. */
  | { readonly kind: "cidr"; readonly cidrs: readonly Prefix[] }
  /** The source that the kernel would choose for packets to this address. */
  | { readonly kind: "can-reach"; readonly to: Addr };

/** Names of devices. */
export interface DevicePattern {
  /** As it was written. */
  readonly text: string;
  /** For the whole of a name. */
  readonly name: RegExp;
}

/** A device, as the kernel has it. */
export interface AddressLink {
  readonly name: string;
  readonly isUp: boolean;
  readonly addrs: readonly InterfaceAddr[];
}

/** Devices that carry no traffic between nodes, whatever their addresses: those that Calico leaves out, and Twill's own. */
const NEVER =
  /^(lo|docker.*|cbr.*|dummy.*|virbr.*|lxcbr.*|veth.*|cali.*|tunl.*|flannel.*|kube-ipvs.*|cni.*|cilium.*|lxc.*)$/;

/**
 * A pattern of device names: a `*` at the end of a plain name stands for any rest, as in `devices`; everything else is a
 * regular expression for the whole name.
 */
export function devicePattern(text: string): Result<DevicePattern> {
  const isGlob = /^[A-Za-z0-9_@:-]+\*$/.test(text);
  try {
    return ok({ text, name: new RegExp(`^(?:${isGlob ? `${text.slice(0, -1)}.*` : text})$`) });
  } catch {
    return err(`"${text.slice(0, 96)}" is neither a name such as eth0, nor eth*, nor a regular expression`);
  }
}

function isLocal(a: Addr): boolean {
  const [first = 0, second = 0] = a.family === 4 ? a.bytes.slice(12) : a.bytes;
  if (a.family === 4) return first === 127 || (first === 169 && second === 254);
  return a.text === "::1" || (first === 0xfe && (second & 0xc0) === 0x80);
}

const isOurs = (name: string) => isNodeLink(name) || isPodDevice(name);

function addrsOf(link: AddressLink, family: Family): readonly Addr[] {
  return link.addrs.map((a) => a.addr).filter((a) => a.family === family && !isLocal(a));
}

function firstOf(links: readonly AddressLink[], family: Family): Addr | undefined {
  return links.flatMap((l) => addrsOf(l, family))[0];
}

function candidates(method: AddressMethod, links: readonly AddressLink[]): readonly AddressLink[] {
  const usable = links.filter((l) => l.isUp && !isOurs(l.name));
  const plain = usable.filter((l) => !NEVER.test(l.name));
  switch (method.kind) {
    case "interface":
      // Whoever names a device means it.
      return method.patterns.flatMap((p) => usable.filter((l) => p.name.test(l.name)));
    case "skip-interface":
      return plain.filter((l) => !method.patterns.some((p) => p.name.test(l.name)));
    case "can-reach":
      return usable;
    default:
      return plain;
  }
}

/**
 * The node's address of a family.
 * @param links in the order of their numbers
 * @param sourceTo for `can-reach`: what the kernel would send from; undefined: it has no way there
 * @returns undefined: the Node object's word counts. Refused: what was looked for and is not there
 */
export function findNodeAddress(
  method: AddressMethod,
  family: Family,
  links: readonly AddressLink[],
  sourceTo: Addr | undefined,
): Result<Addr | undefined> {
  if (method.kind === "internal-ip") return ok(undefined);
  const from = candidates(method, links);
  const found = (() => {
    if (method.kind === "cidr")
      return from.flatMap((l) => addrsOf(l, family)).find((a) => method.cidrs.some((c) => prefixHas(c, a)));
    if (method.kind === "can-reach")
      return sourceTo === undefined
        ? undefined
        : from.flatMap((l) => addrsOf(l, family)).find((a) => addrEqual(a, sourceTo));
    return firstOf(from, family);
  })();
  if (found !== undefined) return ok(found);
  const there = links
    .filter((l) => !isOurs(l.name) && addrsOf(l, family).length > 0)
    .map(
      (l) =>
        `"${l.name}" (${addrsOf(l, family)
          .map((a) => a.text)
          .join(", ")}${l.isUp ? "" : ", down"})`,
    );
  return err(
    `"${methodText(method)}" finds no IPv${family} address of this node: ${there.length === 0 ? "it has none" : `there are ${there.join(", ")}`}`,
  );
}

/**
 * The address of a family that the cluster says nothing of, on the device of the address that it does say: kubelets before 1.29 name one
 * family unless they are told both, and so do clouds. Without it the node would be nobody to other nodes in that family.
 * @param reported InternalIPs of the Node object
 * @param before what was announced: it stays for as long as the device has it
 * @returns undefined: there is nothing to add
 */
export function unreportedAddress(
  family: Family,
  reported: readonly Addr[],
  links: readonly AddressLink[],
  before: Addr | undefined,
): Addr | undefined {
  if (reported.some((a) => a.family === family)) return undefined;
  const device = links.find((l) => !isOurs(l.name) && l.addrs.some((a) => reported.some((r) => addrEqual(r, a.addr))));
  const found = device === undefined ? [] : addrsOf(device, family);
  return found.find((a) => before !== undefined && addrEqual(a, before)) ?? found[0];
}

/** A method as it is written. */
export function methodText(m: AddressMethod): string {
  switch (m.kind) {
    case "interface":
    case "skip-interface":
      return `${m.kind}=${m.patterns.map((p) => p.text).join(",")}`;
    case "cidr":
      return `cidr=${m.cidrs.map((c) => c.text).join(",")}`;
    case "can-reach":
      return `can-reach=${m.to.text}`;
    default:
      return m.kind;
  }
}

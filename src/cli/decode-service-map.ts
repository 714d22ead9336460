/** Entries of the maps of services as named fields. */

import {
  decodeBackend,
  decodeBackendKey,
  decodeService,
  decodeServiceAffinity,
  decodeServiceAffinityKey,
  decodeServiceFlow,
  decodeServiceFlowKey,
  decodeServiceKey,
  decodeServiceSlot,
  decodeServiceSlotKey,
  decodeServiceSource,
  decodeServiceSourceKey,
  decodeSockChoice,
  decodeSockChoiceKey,
  decodeSockReverse,
  decodeSockReverseKey,
  SERVICE_FLAG_NAMES,
  SERVICE_FLOW_FLAG_NAMES,
  SOCK_METRIC_NAMES,
} from "../net/gen/bpf-maps.ts";
import { sockMetricSum } from "../net/per-cpu.ts";
import { addrText, flagText, lpmText } from "../plan/describe.ts";
import { type Decoder, protocolText, socketText } from "./decode-text.ts";

/** Bits of a key of `service_sources` before its prefix: the service's number. */
const NUMBER_BITS = 32;

/** Where a service is asked for: all zeroes are every address of the node. */
function frontendText(addr: Uint8Array, port: number): string {
  return addr.some((byte) => byte !== 0) ? socketText(addr, port) : `[::]:${port}`;
}

/** A client: an address, or the cookie of a network namespace for what asked by a socket. */
function clientText(client: Uint8Array): string {
  if (client.subarray(0, 8).some((byte) => byte !== 0) || client[10] === 0xff) return addrText(client);
  return `netns ${new DataView(client.buffer, client.byteOffset + 8, 8).getBigUint64(0, true)}`;
}

export const SERVICE_DECODERS: Readonly<Record<string, Decoder>> = {
  services({ key, value }) {
    const k = decodeServiceKey(key);
    const v = decodeService(value);
    return {
      frontend: frontendText(k.addr, k.port),
      protocol: protocolText(k.protocol),
      service: v.number,
      flags: flagText(v.flags, SERVICE_FLAG_NAMES),
      "inside set": v.insideSet,
      "inside count": v.insideCount,
      "outside set": v.outsideSet,
      "outside count": v.outsideCount,
      "affinity seconds": v.affinitySeconds,
    };
  },
  service_slots({ key, value }) {
    const k = decodeServiceSlotKey(key);
    return { set: k.set, index: k.index, backend: decodeServiceSlot(value).backend };
  },
  backends({ key, value }) {
    const v = decodeBackend(value);
    return {
      backend: decodeBackendKey(key).number,
      address: socketText(v.addr, v.port),
      protocol: protocolText(v.protocol),
    };
  },
  host_ports({ key, value }) {
    const k = decodeServiceKey(key);
    const v = decodeBackend(value);
    return {
      "host port": frontendText(k.addr, k.port),
      protocol: protocolText(k.protocol),
      pod: socketText(v.addr, v.port),
    };
  },
  service_sources({ key, value }) {
    const k = decodeServiceSourceKey(key);
    return {
      service: k.service,
      prefix: lpmText(k.prefixBits - NUMBER_BITS, k.addr),
      allowed: decodeServiceSource(value).isAllowed,
    };
  },
  service_flows({ key, value }) {
    const k = decodeServiceFlowKey(key);
    const v = decodeServiceFlow(value);
    return {
      protocol: protocolText(k.protocol),
      from: socketText(k.src, k.srcPort),
      to: socketText(k.dst, k.dstPort),
      "becomes from": socketText(v.src, v.srcPort),
      "becomes to": socketText(v.dst, v.dstPort),
      flags: flagText(v.flags, SERVICE_FLOW_FLAG_NAMES),
      service: v.service,
      backend: v.backend,
      created: v.created,
    };
  },
  service_affinity({ key, value }) {
    const k = decodeServiceAffinityKey(key);
    const v = decodeServiceAffinity(value);
    return { client: clientText(k.client), service: k.service, backend: v.backend, "last seen": v.lastSeen };
  },
  sock_reverse({ key, value }) {
    const k = decodeSockReverseKey(key);
    const v = decodeSockReverse(value);
    return {
      socket: Number(k.cookie),
      protocol: protocolText(k.protocol),
      "talks to": socketText(k.addr, k.port),
      asked: socketText(v.addr, v.port),
      connected: v.isConnected,
      service: v.service,
      backend: v.backend,
    };
  },
  sock_choices({ key, value }) {
    const k = decodeSockChoiceKey(key);
    const v = decodeSockChoice(value);
    return {
      socket: Number(k.cookie),
      protocol: protocolText(k.protocol),
      asked: socketText(k.addr, k.port),
      service: v.service,
      backend: v.backend,
      index: v.index,
      "last seen": v.lastSeen,
    };
  },
  sock_metrics({ key, value }) {
    const index = new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);
    return { what: SOCK_METRIC_NAMES.get(index) ?? `${index}`, sockets: sockMetricSum(value) };
  },
};

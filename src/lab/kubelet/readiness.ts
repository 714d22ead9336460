/** Readiness probes of containers, asked from the node as a kubelet does. */

import type { Box } from "../box.ts";
import { runIn } from "../box.ts";
import { failureCode, ProbeSocket, SOCKET } from "../probe/socket.ts";

/** The parts of a container's `readinessProbe` that are known here; gRPC is not. */
export interface ReadinessProbe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string; readonly host?: string };
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly exec?: { readonly command: readonly string[] };
  readonly timeoutSeconds?: number;
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
}

/** Where to ask. */
export interface ProbeTarget {
  /** The node: network probes come from it. */
  readonly box: Box;
  readonly podIP: string;
  /** Number of a port by its name. */
  readonly portByName: (name: string) => number | undefined;
  /** Runs a command in the container. @returns its exit status */
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<number>;
}

/** Asks once. Never throws. */
export async function isReadyNow(probe: ReadinessProbe, target: ProbeTarget): Promise<boolean> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec) return (await target.exec(probe.exec.command, timeoutMs)) === 0;
    const asked = probe.httpGet ?? probe.tcpSocket;
    if (asked === undefined) return true;
    const port = typeof asked.port === "number" ? asked.port : (target.portByName(asked.port) ?? Number(asked.port));
    const host = asked.host || target.podIP;
    using socket = new ProbeSocket(target.box.netns, host.includes(":") ? 6 : 4, SOCKET.STREAM, SOCKET.IPPROTO_TCP);
    await socket.connect(host, port, timeoutMs);
    if (probe.httpGet === undefined) return true;
    await socket.send(
      Buffer.from(`GET ${probe.httpGet.path ?? "/"} HTTP/1.0\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      timeoutMs,
    );
    const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec((await socket.receive(timeoutMs)).toString("latin1"));
    return status !== null && Number(status[1]) >= 200 && Number(status[1]) < 400;
  } catch (error) {
    if (failureCode(error) !== undefined || error instanceof RangeError) return false;
    throw error;
  }
}

/** Runs a command in the namespaces of a process. @returns its exit status */
export async function execStatus(
  box: Box,
  pid: number,
  command: readonly string[],
  timeoutMs: number,
): Promise<number> {
  const output = await runIn(
    { init: { pid, startTicks: box.init.startTicks }, netns: `/proc/${pid}/ns/net` },
    command,
    { timeoutMs },
  );
  return output.code;
}

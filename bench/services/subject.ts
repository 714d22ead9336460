/** Everybody who is measured: a client, where it connects to, and how more services come about. */

import { spawnSync } from "node:child_process";
import { inNetns, waitFor } from "../../test/fixture/sandbox.ts";
import type { Targets } from "../tools.ts";
import { FIRST_ADDRESS, SERVICE_PORT, serviceAddress } from "./objects.ts";

/** One of those that are measured in turn. */
export interface Subject {
  readonly name: string;
  readonly clientNetns: string;
  /** What the client's command line is put into, so that its sockets are the node's; undefined: nothing. */
  readonly wrap?: (argv: readonly string[]) => string[];
  targets(services: number): Targets;
  /** Brings it to so many services. @returns milliseconds until the last one answered; undefined: there is nothing to load */
  load(services: number): Promise<number | undefined>;
}

/** Where the clients of services connect to. */
export function serviceTargets(services: number): Targets {
  return { host: FIRST_ADDRESS, port: SERVICE_PORT, addresses: services };
}

const LOAD_DEADLINE_MS = 300_000;

/** Waits until the last of so many services takes a connection. */
export async function whenLoaded(subject: Pick<Subject, "name" | "clientNetns" | "wrap">, services: number) {
  const connect = `exec 3<>/dev/tcp/${serviceAddress(services - 1)}/${SERVICE_PORT}`;
  const argv = ["timeout", "1", "bash", "-c", connect];
  const [program = "", ...args] = inNetns(subject.clientNetns, subject.wrap?.(argv) ?? argv);
  const isThere = () => spawnSync(program, args, { stdio: "ignore" }).status === 0;
  await waitFor(`${services} services of ${subject.name}`, isThere, LOAD_DEADLINE_MS);
}

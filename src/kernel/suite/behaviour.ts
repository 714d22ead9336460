/** The contract as tests: what every kernel must do. Run by the test file of each implementation. */

import { describe } from "node:test";
import type { KernelBench } from "./bench.ts";
import { deviceTests } from "./devices.ts";
import { manyRowsTests, mapTests } from "./maps.ts";
import { podTests } from "./pods.ts";
import { programTests } from "./programs.ts";
import { ringTests } from "./rings.ts";
import { socketHookTests } from "./socket-hooks.ts";

/** Declares the tests of programs alone: for another way of attaching them. */
export function programBehaviour(name: string, open: () => KernelBench, skip: string | false): void {
  describe(name, { skip }, () => programTests(open));
}

/** Declares all tests on one implementation; `skip` is the reason why it cannot run here. */
export function kernelBehaviour(name: string, open: () => KernelBench, skip: string | false = false): void {
  describe(name, { skip }, () => {
    describe("devices", () => deviceTests(open));
    describe("programs", () => programTests(open));
    describe("socket hooks", () => socketHookTests(open));
    describe("maps", () => mapTests(open));
    describe("many rows", () => manyRowsTests(open));
    describe("rings", () => ringTests(open));
    describe("pods", () => podTests(open));
  });
}

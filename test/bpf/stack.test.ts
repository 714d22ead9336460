/** The stack of the programs, as every Linux that they are for counts it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { deepest, framesOf } from "./call-stack.ts";

/** MAX_BPF_STACK of the kernel: a program and all that it calls. */
const STACK_BYTES = 512;
/** What a frame is rounded up to: by 16 since Linux 6.9, before it by 32, whether programs are compiled to machine code or not. */
const FRAME_UNIT_BYTES = 32;

const PROGRAMS = ["from_pod", "from_host", "from_tunnel", "from_wire", "to_wire", "shape"];
const HOOKS = ["connect", "sendmsg", "recvmsg", "getpeername"].flatMap((hook) => [`sock_${hook}4`, `sock_${hook}6`]);

for (const object of ["twill.o", "twill-test.o"])
  describe(object, () => {
    const frames = framesOf(readFileSync(new URL(`../../bpf/gen/${object}`, import.meta.url)));
    for (const program of [...PROGRAMS, ...HOOKS])
      it(`${program} has room for all that it calls`, () => {
        const { bytes, chain } = deepest(frames, program, FRAME_UNIT_BYTES);
        assert.ok(bytes <= STACK_BYTES, `${bytes} bytes: ${chain}`);
      });

    it("calls of all kinds are followed", () => {
      const calls = (name: string) => [...(frames.get(name)?.calls ?? [])];
      assert.ok(calls("choose_backend").includes("try_backend"), "a function that is not static");
      assert.ok(calls("try_backend").includes("pick_again"), "a static one");
      assert.ok(calls("pick_for_datagram").includes("look_at"), "one that a helper calls");
    });
  });

/** How a socket reads what a kernel answers, good or bad; the answers are made by the test. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NETLINK_ROUTE, NLM_F, NLMSG, RTM } from "../../net/netlink/constants.ts";
import { type NetlinkMessage, readMessages, readU32 } from "../../net/netlink/reader.ts";
import { NetlinkWriter } from "../../net/netlink/writer.ts";
import type { Addon } from "./addon.ts";
import { NetlinkSocket, type Step } from "./netlink-socket.ts";

/** What a kernel sends back to one datagram; each inner list is a datagram of its own. */
type Answer = (request: readonly NetlinkMessage[]) => readonly Uint8Array[];

/** Only what the socket calls. */
function kernel(answer: Answer): Addon {
  const queue: Uint8Array[] = [];
  const parts: Partial<Addon> = {
    netlinkOpen: () => 1000,
    netlinkSend: (_, messages) => queue.push(...answer(readMessages(Uint8Array.from(messages)).messages)),
    netlinkReceive: () => (queue.length === 0 ? undefined : Buffer.from(queue.shift() ?? [])),
    close: () => undefined,
  };
  return parts as Addon;
}

/** An error or acknowledgement, as the kernel lays it out: code, then the request's header. */
function reply(sequence: number, errno: number): Uint8Array {
  const w = new NetlinkWriter().begin(NLMSG.ERROR, NLM_F.CAPPED, sequence);
  return Uint8Array.from(w.u32(-errno).u32(16).u32(0).u32(sequence).u32(0).end().take());
}

function data(sequence: number, value: number, flags = 0): Uint8Array {
  return Uint8Array.from(new NetlinkWriter().begin(RTM.NEWLINK, flags, sequence).u32(value).end().take());
}

function done(sequence: number, errno = 0): Uint8Array {
  return Uint8Array.from(new NetlinkWriter().begin(NLMSG.DONE, NLM_F.MULTI, sequence).u32(-errno).end().take());
}

function step(op: string, tolerates: readonly number[] = []): Step {
  return { op, tolerates, write: (w, flags, sequence) => w.begin(RTM.GETLINK, flags, sequence).end() };
}

function open(answer: Answer): NetlinkSocket {
  return new NetlinkSocket(undefined, NETLINK_ROUTE, kernel(answer));
}

const sequences = (request: readonly NetlinkMessage[]) => request.map((m) => m.sequence);

describe("changes", () => {
  it("asks only for the last acknowledgement", () => {
    let flags: number[] = [];
    const socket = open((request) => {
      flags = request.map((m) => m.flags & NLM_F.ACK);
      return [reply(request.at(-1)?.sequence ?? 0, 0)];
    });
    socket.change([step("a"), step("b"), step("c")]);
    assert.deepEqual(flags, [0, 0, NLM_F.ACK]);
    socket.change([]);
  });

  it("throws the first failure, by its own name, and leaves nothing unread", () => {
    let calls = 0;
    const socket = open((request) => {
      const [, second = 0, third = 0] = sequences(request);
      return calls++ === 0 ? [reply(second, 17), reply(third, 22)] : [reply(sequences(request)[0] ?? 0, 0)];
    });
    const failing = () => socket.change([step("a"), step("add b"), step("c")]);
    assert.throws(failing, { name: "KernelError", op: "add b", code: "EEXIST", message: "Cannot add b: EEXIST" });
    socket.change([step("d")]);
  });

  it("takes tolerated errnos for success", () => {
    const socket = open((request) => request.map((m) => reply(m.sequence, 17)));
    socket.change([step("a", [17]), step("b", [17])]);
    assert.throws(() => socket.change([step("a", [17]), step("b", [2])]), { op: "b" });
  });

  it("passes over answers to what was asked earlier", () => {
    const socket = open((request) => [reply(4711, 22), reply(request[0]?.sequence ?? 0, 0)]);
    socket.change([step("a")]);
  });

  it("says that no answer came", () => {
    assert.throws(() => open(() => []).change([step("a")]), { code: "ETIMEDOUT" });
  });

  it("can be used after a message that could not be written", () => {
    const socket = open((request) => [reply(request[0]?.sequence ?? 0, 0)]);
    const broken: Step = {
      op: "a",
      write(w, flags, sequence) {
        w.begin(1, flags, sequence);
        throw new RangeError("too long");
      },
    };
    assert.throws(() => socket.change([broken]), RangeError);
    socket.change([step("b")]);
  });
});

describe("questions", () => {
  it("answers each in order, in datagrams of a bounded size", () => {
    let datagrams = 0;
    const socket = open((request) => {
      datagrams++;
      return request.map((m, i) => (i % 3 === 2 ? reply(m.sequence, 2) : data(m.sequence, m.sequence)));
    });
    const answers = socket.askAll(Array.from({ length: 150 }, () => step("ask", [2])));
    assert.equal(datagrams, 3);
    const values = answers.map((a) => readU32(a));
    assert.deepEqual(values.slice(0, 4), [1, 2, undefined, 4]);
    assert.equal(values.length, 150);
    assert.deepEqual(socket.askAll([]), []);
  });
});

describe("dumps", () => {
  it("begins again when a change came between, and keeps nothing of the broken one", () => {
    let calls = 0;
    const socket = open(([request]) => {
      const sequence = request?.sequence ?? 0;
      const flags = calls++ < 2 ? NLM_F.DUMP_INTR : 0;
      return [data(sequence, calls), data(sequence, calls, flags), done(sequence)];
    });
    assert.deepEqual(
      socket.dump(step("list"), (payload) => readU32(payload)),
      [3, 3],
    );
  });

  it("gives up when every dump meets a change", () => {
    const socket = open(([request]) => [
      data(request?.sequence ?? 0, 1, NLM_F.DUMP_INTR),
      done(request?.sequence ?? 0),
    ]);
    assert.throws(() => socket.dump(step("list"), () => 1), { code: "EINTR", op: "list" });
  });

  it("throws the error that ends a dump, unless it is tolerated", () => {
    const socket = open(([request]) => [data(request?.sequence ?? 0, 1), done(request?.sequence ?? 0, 19)]);
    assert.throws(() => socket.dump(step("list"), () => 1), { code: "ENODEV", op: "list" });
    assert.deepEqual(
      socket.dump(step("list", [19]), () => 1),
      [1],
    );
  });
});

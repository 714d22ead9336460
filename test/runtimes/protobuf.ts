/** As much of the protobuf wire format as the container runtime interface needs: varints and length-delimited fields. */

/** One field to encode: a number as varint, text, bytes, or a message made of fields. */
export type Value = number | string | Uint8Array | readonly Field[];

/** Field number and value; the same number may stand several times. */
export type Field = readonly [number: number, value: Value];

/** Encodes a message; empty text and zero are left out as proto3 does. */
export function encode(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (value === 0 || value === "") continue;
    if (typeof value === "number") {
      parts.push(varint(number * 8), varint(value));
      continue;
    }
    const bytes = typeof value === "string" ? Buffer.from(value) : value instanceof Uint8Array ? value : encode(value);
    parts.push(varint(number * 8 + 2), varint(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

/** A map<string, string> as repeated entries of field `number`. */
export function mapFields(number: number, entries: Readonly<Record<string, string>>): Field[] {
  return Object.entries(entries).map(
    ([key, value]): Field => [
      number,
      [
        [1, key],
        [2, value],
      ],
    ],
  );
}

/** A decoded message: values by field number, in their order. */
export class Message {
  readonly #fields = new Map<number, (number | Uint8Array)[]>();

  /** @throws RangeError on truncated bytes or a wire type that is neither varint nor length-delimited */
  constructor(bytes: Uint8Array) {
    let at = 0;
    const readVarint = (): number => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        if (byte === undefined) throw new RangeError("Cannot decode message: it ends inside a varint");
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      const tag = readVarint();
      const number = Math.floor(tag / 8);
      const type = tag % 8;
      if (type !== 0 && type !== 2)
        throw new RangeError(`Cannot decode field ${number}: wire type ${type} is not used here`);
      const value = readVarint();
      const list = this.#fields.get(number) ?? [];
      this.#fields.set(number, list);
      if (type === 0) {
        list.push(value);
        continue;
      }
      if (at + value > bytes.length)
        throw new RangeError(`Cannot decode field ${number}: it is longer than the message`);
      list.push(bytes.subarray(at, at + value));
      at += value;
    }
  }

  /** 0 when absent. */
  number(field: number): number {
    const value = this.#fields.get(field)?.at(-1);
    return typeof value === "number" ? value : 0;
  }

  /** Empty when absent. */
  text(field: number): string {
    const value = this.#fields.get(field)?.at(-1);
    return value instanceof Uint8Array ? Buffer.from(value).toString() : "";
  }

  /** Every message of a repeated field; for a single one, the first or none. */
  messages(field: number): Message[] {
    const values = this.#fields.get(field) ?? [];
    return values.flatMap((value) => (value instanceof Uint8Array ? [new Message(value)] : []));
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/**
 * A container image whose only program waits for ever, made from nothing: no network, no compiler, no base image.
 * The program is an ELF file of one segment; the image is an OCI layout in a tar, as `ctr images import` reads it.
 */

import { createHash } from "node:crypto";

/** System calls in a loop: x86-64 `pause`; arm64 has none, so `ppoll(0, 0, 0, 0)`. */
const WAIT_FOR_EVER: Readonly<Record<string, { readonly machine: number; readonly code: string }>> = {
  // mov eax, 34; syscall; jmp to the start
  x64: { machine: 62, code: "b822000000" + "0f05" + "ebf7" },
  // mov x0..x4, 0; mov x8, 73; svc 0; b to the start
  arm64: { machine: 183, code: "000080d2010080d2020080d2030080d2040080d2280980d2010000d4f9ffff17" },
};

/** An executable that does nothing. @throws Error for a processor that this file has no code for */
export function pauseProgram(arch: string): Uint8Array {
  const found = WAIT_FOR_EVER[arch];
  if (found === undefined) throw new Error(`Cannot make a pause program for processor "${arch}"`);
  const code = Buffer.from(found.code, "hex");
  const base = 0x400000n;
  const headerBytes = 64 + 56;
  const elf = Buffer.alloc(headerBytes + code.length);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64 bits, little endian, version
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(found.machine, 18);
  elf.writeUInt32LE(1, 20); // version
  elf.writeBigUInt64LE(base + BigInt(headerBytes), 24); // entry
  elf.writeBigUInt64LE(64n, 32); // program headers begin here
  elf.writeUInt16LE(64, 52); // size of this header
  elf.writeUInt16LE(56, 54); // size of a program header
  elf.writeUInt16LE(1, 56); // how many
  elf.writeUInt32LE(1, 64); // load
  elf.writeUInt32LE(5, 68); // readable, executable
  elf.writeBigUInt64LE(base, 80); // virtual address
  elf.writeBigUInt64LE(base, 88); // physical address
  elf.writeBigUInt64LE(BigInt(elf.length), 96); // in the file
  elf.writeBigUInt64LE(BigInt(elf.length), 104); // in memory
  elf.writeBigUInt64LE(0x1000n, 112); // alignment
  elf.set(code, headerBytes);
  return elf;
}

/** An OCI image layout in a tar. @param name as `twill.dev/pause:test` */
export function pauseImage(name: string, arch: string): Uint8Array {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, content: Uint8Array): { mediaType: string; digest: string; size: number } => {
    const hex = createHash("sha256").update(content).digest("hex");
    blobs.set(`blobs/sha256/${hex}`, content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  const architecture = arch === "x64" ? "amd64" : arch;
  const layer = add("application/vnd.oci.image.layer.v1.tar", tar(new Map([["pause", pauseProgram(arch)]])));
  const config = add(
    "application/vnd.oci.image.config.v1+json",
    json({
      architecture,
      os: "linux",
      config: { Entrypoint: ["/pause"] },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    }),
  );
  const manifest = add(
    "application/vnd.oci.image.manifest.v1+json",
    json({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [layer] }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...manifest,
        platform: { architecture, os: "linux" },
        annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.split(":")[1] },
      },
    ],
  };
  blobs.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  blobs.set("index.json", json(index));
  return tar(blobs);
}

/** A ustar archive of plain, executable files; names up to 100 bytes. */
export function tar(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, content] of files) {
    const head = Buffer.alloc(512);
    head.write(name, 0, 100);
    head.write("0000755\0", 100);
    head.write("0000000\0", 108);
    head.write("0000000\0", 116);
    head.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    head.write("00000000000\0", 136);
    head.write("        ", 148); // the checksum counts itself as spaces
    head.write("0", 156);
    head.write("ustar\x0000", 257);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    parts.push(head, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  parts.push(Buffer.alloc(1024));
  return Buffer.concat(parts);
}

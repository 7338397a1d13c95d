#!/usr/bin/env python3
"""extract-kernel.py VMLINUZ OUT: the kernel proper, as QEMU can start it at once. Under emulation, unpacking itself costs a kernel
more time than the rest of its boot. Where the payload is not xz, OUT is VMLINUZ as it is, which boots too.

The offsets are those of the header in Documentation/arch/x86/boot.rst of the kernel.
"""
import lzma
import pathlib
import struct
import sys

SETUP_SECTORS, MAGIC, PAYLOAD = 0x1F1, 0x202, 0x248
SECTOR = 512


def payload(image):
    if image[MAGIC:MAGIC + 4] != b"HdrS":
        sys.exit("extract-kernel: no Linux kernel for x86: the boot header's HdrS is missing")
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    begin = (image[SETUP_SECTORS] + 1) * SECTOR + offset
    return image[begin:begin + length]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: extract-kernel.py VMLINUZ OUT")
    image = pathlib.Path(sys.argv[1]).read_bytes()
    packed = payload(image)
    # Behind the xz stream stands the unpacked length: a decompressor object stops before it, lzma.decompress() would not.
    kernel = lzma.LZMADecompressor().decompress(packed) if packed.startswith(b"\xfd7zXZ\0") else image
    pathlib.Path(sys.argv[2]).write_bytes(kernel)


main()

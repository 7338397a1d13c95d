#!/usr/bin/env python3
"""embed.py IMAGE OUT: writes IMAGE's bytes as a C++ source, cli/inject/image_bytes.h's."""
import pathlib
import sys

image, out = (pathlib.Path(argument) for argument in sys.argv[1:])
numbers = [f"{byte}," for byte in image.read_bytes()]
lines = ["".join(numbers[at : at + 24]) for at in range(0, len(numbers), 24)]
out.write_text(
    '#include "cli/inject/image_bytes.h"\n\nnamespace clockshim::cli {\nnamespace {\n\n'
    "alignas(16) constexpr unsigned char kImage[] = {\n" + "\n".join(lines) + "};\n\n}  // namespace\n\n"
    "std::span<const std::byte> image_bytes() { return std::as_bytes(std::span(kImage)); }\n\n}  // namespace clockshim::cli\n",
    encoding="utf-8")

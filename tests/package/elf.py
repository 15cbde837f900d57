"""Compiled modules without what only debuggers read: it is a third of them, and some wheels carry a lot of it.

What the dynamic loader maps is what the program headers name. All else (symbol tables, debug information, the table of
sections itself) becomes zeros, or is cut off where nothing that is loaded comes after it. It is `strip` without a tool
that is not on every machine, and whose output is not the same on every machine. ELF-64, as in "Tool Interface Standard:
ELF specification" and elf(5).
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ELF64_LITTLE = b"\x7fELF\x02\x01"


def trimmed(content: bytes) -> bytes:
    """Return a shared object without what is not loaded; anything else as it is."""
    if not content.startswith(_ELF64_LITTLE) or len(content) < _HEADER.size:
        return content
    ident, *fields = _HEADER.unpack_from(content)
    segments, size, count = fields[4], fields[8], fields[9]
    kept = [(0, _HEADER.size), (segments, segments + size * count)]
    if size != _SEGMENT.size or kept[1][1] > len(content):
        return content  # not as expected: left alone
    for number in range(count):
        _, _, offset, _, _, length, _, _ = _SEGMENT.unpack_from(content, segments + number * size)
        kept.append((offset, offset + length))
    if max(end for _, end in kept) > len(content):
        return content  # cut off
    result = bytearray(max(end for _, end in kept))
    for start, end in kept:
        result[start:end] = content[start:end]
    fields[5] = fields[10] = fields[11] = fields[12] = 0  # no table of sections
    _HEADER.pack_into(result, 0, ident, *fields)
    return bytes(result)

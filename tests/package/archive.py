"""Files in a zip that is the same whenever its files are: sorted, without times, with fixed modes and compression."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping

_LEVEL = 9
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can tell
_UNIX = 3
_MODE = stat.S_IFREG | 0o644


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files by their paths."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EARLIEST)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, files[path], zipfile.ZIP_DEFLATED, _LEVEL)
    return packed.getvalue()

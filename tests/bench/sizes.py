"""How large a code package is: what has to be fetched before a cold start can begin."""

from __future__ import annotations

from collections.abc import Callable

from packaging.requirements import Requirement

from tests.bench import folders
from tests.bench.results import Packages
from tests.package import for_this_interpreter


def measure(tell: Callable[[str], object]) -> Packages:
    """Zip what a plain install gives, with and without byte code."""
    tell("zipping")
    lines = (folders.ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.partition("#")[0].strip()).name for line in lines if line.partition("#")[0].strip()]
    plain = folders.plain_install("plain", wanted, byte_code=True)
    naive = folders.plain_install("naive", folders.SDKS, byte_code=True)
    return Packages(
        plain=folders.zipped_bytes(plain, byte_code=False),
        plain_with_byte_code=folders.zipped_bytes(plain, byte_code=True),
        artefact=for_this_interpreter().stat().st_size,
        naive=folders.zipped_bytes(naive, byte_code=False),
    )

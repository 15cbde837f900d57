"""The sample events of rotation_status give what events/README.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared import status_request
from shared.errors import EventError
from shared.status_request import StatusRequest

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = sorted(EVENTS.glob("status-*"))

_ROW = re.compile(r"\| \[(?P<file>status-[\w.-]+)\]\([\w.-]+\) \| .* \| (?P<gives>.*) \|")


def gives(parsed: StatusRequest | EventError) -> str:
    if isinstance(parsed, EventError):
        return f"`{parsed.reason}`: {parsed.happened}"
    shown = "the doctor" if parsed.doctor else "the state"
    of = f" of `{parsed.user_name}`" if parsed.user_name else ""
    state = f", only `{parsed.state.value}`" if parsed.state else ""
    search = f", names with `{parsed.search}`" if parsed.search else ""
    page = f", page {parsed.page}" if parsed.page > 1 else ""
    return f"{parsed.trigger}: {shown}{of}{state}{search}{page}, as {'a web page' if parsed.html else 'JSON'}"


def expectations() -> dict[str, str]:
    lines = (EVENTS / "README.md").read_text(encoding="utf-8").splitlines()
    return {match["file"]: match["gives"] for line in lines if (match := _ROW.fullmatch(line))}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_gives_what_its_row_in_the_readme_says(sample: Path) -> None:
    assert gives(status_request.parse(sample.read_bytes())) == expectations()[sample.name]


def test_the_readme_has_a_row_for_every_sample_and_for_nothing_else() -> None:
    assert len(SAMPLES) >= 10
    assert sorted(expectations()) == [sample.name for sample in SAMPLES]

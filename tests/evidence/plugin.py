"""Proofs as tests: the fixture `evidence` publishes a section of docs/evidence.md, or holds it to what was published.

`make test` compares: a section that is not what the code yields today fails the test that yields it. `--evidence write`
(`make evidence`) writes the sections of the tests that ran, if all of them passed. Tests marked `long` run only then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from tests.evidence import document

_KEY = pytest.StashKey[dict[str, str]]()


class Evidence:
    """Where a proof puts what it found."""

    def __init__(self, published: Mapping[str, str], written: dict[str, str] | None) -> None:
        self._published = published
        self._written = written

    def publish(self, section: str, text: str) -> None:
        """Publish a section's text, the same in every run; or fail if it is not what docs/evidence.md says."""
        assert section in document.places(), f"tests/evidence/template.md has no place for {section!r}"
        if self._written is not None:
            assert section not in self._written, f"{section!r} is published twice"
            self._written[section] = text
            return
        assert text == self._published.get(section), f"docs/evidence.md is out of date: make evidence ({section})"

    @staticmethod
    def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        """Return a Markdown table."""
        return document.table(headers, rows)


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Give a proof the means to publish what it found."""
    writing = request.config.getoption("--evidence") == "write"
    return Evidence(document.published(), request.config.stash[_KEY] if writing else None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says whether docs/evidence.md is held to, or written."""
    parser.addoption("--evidence", choices=["check", "write"], default="check", help="docs/evidence.md: check or write")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare to collect sections."""
    config.stash[_KEY] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that publishes, before `-m` selects."""
    for item in items:
        if "evidence" in getattr(item, "fixturenames", ()):
            item.add_marker("evidence")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand the sections to the process that writes, or be it."""
    config: Any = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["evidence"] = config.stash[_KEY]
    elif config.getoption("--evidence") == "write" and exitstatus == pytest.ExitCode.OK:
        sections = {**document.published(), **config.stash[_KEY]}
        document.DOCUMENT.write_text(document.filled(sections), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - pytest-xdist's WorkerController
    """Take in the sections of a test process when it ends."""
    node.config.stash[_KEY].update(getattr(node, "workeroutput", {}).get("evidence", {}))

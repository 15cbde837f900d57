"""Every command of the documents is run: each section's in one shell, in order, and what is shown comes true.

`aliyun` and `s` are stand-ins that act on the loopback cloud and refuse what the real ones do not know; what of the
tools of this machine is run, and what only looked at, is in local.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.server import LocalCloud
from tests.runbook.documents import Section, documents, missing, sections
from tests.runbook.local import LONG_SCRIPTS, is_long
from tests.runbook.scenarios import OPERATIONS, SCENARIOS, scenario
from tests.runbook.shell import Shell, shell
from tests.runbook.world import World

DEPTH = {OPERATIONS: 3, "docs/observability.md": 1}  # levels of headings that begin a section with a world of its own
YOUR_SHELL = "Your shell"  # what every section of the runbook begins with
DEPLOYING = 3  # steps of the README until everything is deployed


def units() -> list[Section]:
    """Return every section that has commands."""
    found = [each for document in documents() for each in sections(document, DEPTH.get(document, 2))]
    return [each for each in found if each.heading != YOUR_SHELL]


def the(document: str, heading: str) -> Section:
    """Return one section."""
    (found,) = [each for each in sections(document, DEPTH.get(document, 2)) if each.heading == heading]
    return found


@pytest.fixture
def world() -> Iterator[World]:
    """Return an account in which nothing is deployed."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield World(cloud)


def deploy(run: Shell) -> None:
    """Follow the README until everything is deployed."""
    run.run(the("README.md", "Deploy").steps[:DEPLOYING])


def prepared(run: Shell, world: World, section: Section) -> str:
    """Bring about what the section begins with; return what its shell begins with."""
    found = scenario(section.document, section.heading)
    run.keep(".env", the("README.md", "Deploy").steps[0].script)
    if found.deployed:
        deploy(run)
    found.before(world)
    world.cloud.calls.clear()
    return world.here(the(OPERATIONS, YOUR_SHELL).steps[0].script) if found.deployed else ""


@pytest.mark.parametrize("section", units(), ids=str)
def test_the_commands_of_a_section_do_what_it_says(section: Section, world: World) -> None:
    with shell(world) as run:
        before = prepared(run, world, section)
        steps = tuple(each for each in section.steps if not is_long(each.script))
        printed = run.run(steps, before)
        assert len(printed) == len(steps)
        for step, text in zip(steps, printed, strict=True):
            if not step.script.startswith("make "):  # what is made is shown elsewhere to come true
                assert missing(step.shown, text) == [], f"line {step.line}: {step.script}\nprinted\n{text}"
        found = scenario(section.document, section.heading)
        assert missing(found.shown, "\n".join(printed)) == []
        found.after(world)


def test_every_scenario_is_that_of_a_section() -> None:
    assert SCENARIOS.keys() <= {(each.document, each.heading) for each in units()}


def test_every_script_that_is_not_run_for_its_length_is_one() -> None:
    scripts = [step.script for section in units() for step in section.steps]
    assert [mark for mark in LONG_SCRIPTS if not any(mark in script for script in scripts)] == []


def test_every_document_with_commands_is_looked_at() -> None:
    assert {"README.md", OPERATIONS, "docs/loopback-cloud.md"} <= {each.document for each in units()}

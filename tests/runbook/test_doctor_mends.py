"""Whoever types what the doctor says, and nothing else, mends what was broken; and the runbook has a word on each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.doctor import Problem
from tests.localcloud.server import LocalCloud
from tests.runbook import scenarios
from tests.runbook.documents import ROOT, Step
from tests.runbook.scenarios import OPERATIONS, Act
from tests.runbook.shell import Shell, shell
from tests.runbook.test_commands import YOUR_SHELL, deploy, the
from tests.runbook.world import World

DOCTOR = Step("""s rotation_status invoke --event '{"Doctor": true}'""")
BROKEN: dict[Problem, Act] = {
    Problem.PERMISSION_MISSING: scenarios.denied,
    Problem.SSO_ENABLED: scenarios.sso,
    Problem.OVERDUE: scenarios.overdue,
    Problem.EXPIRED: scenarios.expired,
    Problem.STUCK_CLAIM: scenarios.stuck,
    Problem.FAILED_ATTEMPTS: scenarios.used_up,
    Problem.VERSION_FOREIGN: scenarios.foreign,
    Problem.SECRET_IN_DELETION: scenarios.in_deletion,
    Problem.TAG_STALE: scenarios.untagged,
    Problem.POLICY_SHORT: scenarios.short,
    Problem.USER_DELETED: scenarios.deleted,
}
# These take a decision first, or another machine: their own sections of the runbook are followed instead.
DECISIONS = {
    Problem.WRONG_REGION: "which region is right",
    Problem.ENDPOINT_UNREACHABLE: "there is no network to mend",
    Problem.USER_RENAMED: "the readers go to another secret in between",
    Problem.SECRET_MISSING: "it shows with ONBOARD only",
    Problem.UNMANAGED: "who is to be managed",
}


@pytest.fixture
def world() -> Iterator[World]:
    """Return an account in which nothing is deployed."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield World(cloud)


def findings(run: Shell, before: str) -> list[dict[str, Any]]:
    """Ask the doctor."""
    (printed,) = run.run((DOCTOR,), before)
    found: list[dict[str, Any]] = json.loads(printed.partition("Invoke Result:\n")[2])["Findings"]
    return found


@pytest.mark.parametrize("problem", BROKEN, ids=lambda each: each.value)
def test_what_the_doctor_has_typed_mends_what_it_found(problem: Problem, world: World) -> None:
    with shell(world) as run:
        run.keep(".env", the("README.md", "Deploy").steps[0].script)
        deploy(run)
        BROKEN[problem](world)
        before = world.here(the(OPERATIONS, YOUR_SHELL).steps[0].script)
        found = [each for each in findings(run, before) if each["Problem"] == problem.value]
        lines = list(dict.fromkeys(line for each in found for line in each["Mend"]))
        assert lines
        run.run(tuple(map(Step, lines)), before)
        # What is told of still, such as a secret until it is gone, has nothing more to type.
        assert not [each for each in findings(run, before) if each["Problem"] == problem.value and each["Mend"]]


def test_every_problem_is_broken_here_or_needs_a_decision() -> None:
    assert BROKEN.keys() | DECISIONS.keys() == set(Problem)
    assert not BROKEN.keys() & DECISIONS.keys()


def test_the_runbook_has_a_heading_for_every_problem_and_for_none_that_there_is_not() -> None:
    text = (ROOT / OPERATIONS).read_text(encoding="utf-8")
    _, _, doctor = text.partition("\n## What the doctor says\n")
    headings = re.findall(r"^### `([a-z-]+)`$", doctor, re.MULTILINE)
    assert headings == [problem.value for problem in Problem]

"""What the doctor does not see, the runbook finds: what another function may do, and what waits in the queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.server import LocalCloud
from tests.runbook import scenarios
from tests.runbook.documents import Step, missing
from tests.runbook.scenarios import OPERATIONS
from tests.runbook.shell import Shell, shell
from tests.runbook.test_commands import YOUR_SHELL, deploy, the
from tests.runbook.world import World

FAILED = the(OPERATIONS, "A rotation failed").steps
WHO_WAS_MEANT = '"Error": "secret-store-denied"'


@pytest.fixture
def world() -> Iterator[World]:
    """Return an account in which nothing is deployed."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield World(cloud)


@pytest.fixture
def run(world: World) -> Iterator[Shell]:
    """Return a shell; everything is deployed."""
    with shell(world) as made:
        made.keep(".env", the("README.md", "Deploy").steps[0].script)
        deploy(made)
        yield made


def follow(run: Shell, world: World, *steps: Step) -> list[list[str]]:
    """Return for each step what it shows and was not printed."""
    before = world.here(the(OPERATIONS, YOUR_SHELL).steps[0].script)
    return [missing(step.shown, text) for step, text in zip(steps, run.run(steps, before), strict=True)]


def printed(run: Shell, world: World, *steps: Step) -> str:
    """Return what was printed, all of it."""
    return "".join(run.run(steps, world.here(the(OPERATIONS, YOUR_SHELL).steps[0].script)))


def test_a_role_that_only_the_rotating_function_lacks_is_found_by_looking_first_and_given_back(
    run: Shell, world: World
) -> None:
    scenarios.one_role_denied(world)
    found = printed(run, world, the(OPERATIONS, "Look first").steps[0])
    assert missing('"Healthy": true\n"errorType": "DirectoryDenied"\n[1]', found) == []
    assert printed(run, world, FAILED[0]) == ""  # the role may not write the log either
    steps = (*the(OPERATIONS, "`permission-missing`").steps, *the(OPERATIONS, "Dead letters").steps[1:4])
    assert follow(run, world, *steps) == [[]] * len(steps)
    assert world.letters("dead-letters") == []
    scenarios.signs_in("alice", "bob")(world)


def test_what_failed_hours_ago_is_seen_by_asking_further_back_only(run: Shell, world: World) -> None:
    scenarios.dead_letters(world)
    world.later(2 * 3600)
    assert printed(run, world, FAILED[0]) == ""
    assert WHO_WAS_MEANT in printed(run, world, FAILED[1])

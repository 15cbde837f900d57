"""The scenarios in which leaks are looked for are all there are: a new error without one fails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from shared import errors
from shared.errors import RotatorError, UnexpectedFailure
from tests.localcloud.gateway.faults import KINDS
from tests.wire.endings import DETAILS, ENDINGS, reasons
from tests.wire.test_leaks import HANDLED_WITHIN
from tests.wire.test_leaks_scan import EVENTS, REFUSALS

SHARED = Path(errors.__file__).parent


def below(kind: type[RotatorError]) -> Iterator[type[RotatorError]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from below(each)


def made_in_the_code() -> set[str]:
    """Return the names of all that is called anywhere in the code, errors that are made among them."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in SHARED.glob("*.py"))
    calls = (node.func for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {called.id for called in calls if isinstance(called, ast.Name)}


def can_be_raised() -> set[type[RotatorError]]:
    """Return the errors that are no mere heading of others."""
    made = made_in_the_code()
    return {each for each in below(RotatorError) if not each.__subclasses__() or each.__name__ in made}


def test_every_error_that_can_be_raised_has_a_scenario() -> None:
    scans = {error for refusal in REFUSALS for error in (refusal.error, refusal.each)}
    of_events = {error for _, error in EVENTS.values()}
    covered = reasons() | set(HANDLED_WITHIN) | {UnexpectedFailure} | scans | of_events
    assert {each.__name__ for each in can_be_raised() - covered} == set()


def test_an_error_is_recognised_as_one_that_can_be_raised() -> None:
    assert {errors.UserNotFound, errors.DispatchDenied, errors.UnexpectedFailure} <= can_be_raised()
    assert errors.DirectoryError not in can_be_raised()


def test_there_are_successes_among_the_scenarios() -> None:
    assert sum(ending.error is None for ending in ENDINGS.values()) >= 5


def test_what_is_particular_to_a_fault_is_of_a_kind_that_there_is() -> None:
    assert set(DETAILS) <= set(KINDS)

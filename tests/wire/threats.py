"""What an attacker may try: each threat is a test, and says in the evidence what is tried and how that ends.

The rotator is attacked as it is deployed, with exactly its policy. Whatever comes in is told in one line that is one.
Unless the attack may end in a rotation, nobody's password is another one, and no call was made but to look a user up.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

import pytest

from shared.errors import RotatorError
from tests.deployment import Deployment
from tests.localcloud.server import LocalCloud

FIRST = "First-Pass-01!x"
USERS = ("alice", "root-admin", "ROOT-Boss", "kelvin")
PROTECTED = "root-*,Kelvin*"
LOOKUPS = {"ListUsers", "GetUser"}

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Threat:
    """One row of the evidence."""

    name: str
    tried: str
    ends: str  # an outcome or an error's reason, as the test's fixture of that name has it
    test: str
    part: str  # the module of that test


THREATS: list[Threat] = []


def threat(name: str, *, tried: str, ends: str) -> Callable[[Test], Test]:
    """Mark a test as the proof of how a threat ends; its fixture `ends` says how, and it runs whenever that is told."""

    def mark(test: Test) -> Test:
        assert "ends" in signature(test).parameters
        made = Threat(name, tried, ends, test.__name__, test.__module__.rpartition(".")[2])
        THREATS.append(made)
        test.__dict__["threat"] = made
        marked: Test = pytest.mark.evidence(test)
        return marked

    return mark


class Attacked:
    """The deployed rotator, users of whom all but alice are protected; and an eye on all that comes of an event."""

    def __init__(self, cloud: LocalCloud, **settings: str) -> None:
        self.deployed = Deployment(cloud, PROTECTED_USERS=PROTECTED, **settings)
        for name in USERS:
            self.deployed.add_user(name, FIRST)
        self.said = ""  # all that was let out so far
        cloud.calls.clear()

    def ends(self, event: object) -> str:
        """Let an event in; return how it ended, once nothing else can have come of it."""
        output, error = io.StringIO(), None
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                ending = str(self.deployed.outcome(event)["Outcome"])
            except RotatorError as raised:
                ending, error = raised.reason, raised
        self.said += "\n".join([output.getvalue(), str(error), repr(error), repr(vars(error) if error else None), ""])
        self._told_in_one_line(output.getvalue(), ending)
        assert str(error).isprintable()
        if ending != "rotated":
            self.assert_untouched()
        return ending

    def assert_untouched(self) -> None:
        """Nobody's password is another one, and nothing was asked but who a user is."""
        assert set(self.deployed.actions()) <= LOOKUPS
        self.assert_nobody_was_reset()

    def assert_nobody_was_reset(self) -> None:
        """Every user signs in with the password from before."""
        assert {name: self.deployed.signs_in(name, FIRST) for name in USERS} == dict.fromkeys(USERS, "ok")

    def queue(self, body: object) -> dict[str, Any]:
        """Return what the queue's trigger hands over of a message, as an attacker who may send there has it sent."""
        event: dict[str, Any] = json.loads(self.deployed.sample("queue-event.json"))
        text = body if isinstance(body, str) else json.dumps(body)
        return {**event, "data": {**event["data"], "messageBody": text}}

    def alert(self, **data: object) -> dict[str, Any]:
        """Return a security alert with this data."""
        event: dict[str, Any] = json.loads(self.deployed.sample("security-alert.json"))
        return {**event, "data": data}

    @staticmethod
    def _told_in_one_line(output: str, ending: str) -> None:
        assert output.endswith("\n")
        line = output[:-1]
        assert line.isascii()
        assert line.isprintable()
        told = json.loads(line)
        assert told.get("Error", told["Outcome"]) == ending

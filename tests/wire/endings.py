"""Every way in which a rotation can end: one scenario for each error that can leave the function, and the successes.

A scenario arranges its user's world and returns the event to send. They run in this process, where what is raised can
be looked at, and in real instances. Whatever the services say in them has a secret of its own in it, ECHO: a gateway or
a proxy that quotes the request in its refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from shared.errors import (
    DirectoryDenied,
    DirectoryRefused,
    DirectoryUnavailable,
    MalformedEvent,
    NotPublished,
    OutOfTime,
    PasswordInEvent,
    PasswordRejected,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    RotationInProgress,
    RotationsFailed,
    RotatorError,
    SecretInDeletion,
    SecretNotFound,
    SecretRefused,
    SecretStoreDenied,
    SecretStoreUnavailable,
    SettingsError,
    TooManyAttempts,
    UnsupportedEvent,
    UserNotFound,
)
from tests.estate import Estate
from tests.localcloud.gateway.faults import Fault, Kind
from tests.localcloud.server import LocalCloud

ECHO = 'Echo!"7\\/c0ffee0ddba11&deadbeef$'
GARBAGE = json.dumps({"Code": ECHO, "Message": ECHO, "RequestId": ECHO, "Users": [{"UserName": ECHO}]}).encode()
ALWAYS = 1000
# What is particular to a kind of fault: whatever a service says has ECHO in it.
DETAILS: dict[Kind, dict[str, Any]] = {
    "error": {"status": 400, "code": "Surprise.Of.The.Day"},
    "cut": {"keep": 60},  # in the middle of the new password
    "garbage": {"body": GARBAGE},
    "refuse-garbage": {"status": 400, "body": GARBAGE},
}


def echoing(cloud: LocalCloud, action: str, kind: Kind, nth: int = 1) -> Fault:
    """Return a fault in whose answer a secret is. A redirect leads to where it would be heard: to the cloud itself."""
    location = f"http://{cloud.endpoint}/?{quote(ECHO, safe='')}" if kind == "redirect" else None
    return Fault(action, kind, nth, **{"message": ECHO, "location": location, **DETAILS.get(kind, {})})


@dataclass
class Stage:
    """One user of an estate, who has a first password and no secret, and what shall happen."""

    estate: Estate
    user: str
    staged: bool
    invoke: Callable[[object], object]  # the function, with this event

    def event(self, **more: object) -> dict[str, Any]:
        """Return the request to rotate the user's password."""
        return {"UserName": self.user, "GenerateRandomPassword": not self.staged, **more}

    def strike(self, action: str, kind: str, **how: Any) -> None:  # noqa: ANN401 - the fields of a Fault
        """Let a fault strike an action."""
        self.estate.cloud.faults.arm(Fault(action, kind, **{"message": ECHO, **how}))  # type: ignore[arg-type]

    def refuse(self, action: str, status: int, code: str, count: int = ALWAYS) -> None:
        """Let an action be refused."""
        self.strike(action, "error", status=status, code=code, count=count)

    def rotate(self) -> None:
        """Rotate the password an hour ago."""
        self.invoke(self.event())
        self.estate.later(3600)


Arrange = Callable[[Stage], object]


@dataclass(frozen=True)
class Ending:
    """A scenario, and how it ends."""

    name: str
    error: type[RotatorError] | None  # None: it succeeds
    arrange: Arrange = field(repr=False)


ENDINGS: dict[str, Ending] = {}


def ends(error: type[RotatorError] | None) -> Callable[[Arrange], Arrange]:
    """Name a scenario, and say how it ends."""

    def named(arrange: Arrange) -> Arrange:
        name = arrange.__name__.replace("_", " ").strip()
        assert name not in ENDINGS
        ENDINGS[name] = Ending(name, error, arrange)
        return arrange

    return named


# successes


@ends(None)
def first_rotation(stage: Stage) -> object:
    return stage.event()


@ends(None)
def later_rotation(stage: Stage) -> object:
    stage.rotate()
    return stage.event()


@ends(None)
def already_rotated(stage: Stage) -> object:
    stage.rotate()
    return stage.event(RotatedSince="2026-01-01T00:00:00Z")


@ends(None)
def dry_run(stage: Stage) -> object:
    return stage.event(DryRun=True)


@ends(None)
def must_change_at_next_logon(stage: Stage) -> object:
    return stage.event(RequirePasswordResetForNextLogin=True)


@ends(None)
def lost_answers_mended_within_one_invocation(stage: Stage) -> object:
    for action in ("CreateSecret", "ResetUserPassword"):
        stage.strike(action, "drop-after")
    return stage.event()


@ends(None)
def batch_in_parallel(stage: Stage) -> object:
    other = f"{stage.user}-too"
    stage.estate.add_user(other, "First-Pass-of-another-01")
    return [stage.event(), {**stage.event(), "UserName": other}]


# the event


@ends(MalformedEvent)
def malformed_event(stage: Stage) -> object:
    return stage.event(Nonsense=1)


@ends(UnsupportedEvent)
def unsupported_event(stage: Stage) -> object:
    return {"specversion": "1.0", "id": "1", "source": "acs.nobody", "type": "nobody:Knows", "data": {}}


@ends(PasswordInEvent)
def password_in_event(stage: Stage) -> object:
    return stage.event(NewPassword="In-an-event-1234!")


# the directory


@ends(UserNotFound)
def no_such_user(stage: Stage) -> object:
    return {**stage.event(), "UserName": f"not-{stage.user}"}


@ends(SettingsError)
def no_such_directory(stage: Stage) -> object:
    stage.refuse("ListUsers", 404, "EntityNotExists.Directory")
    return stage.event()


@ends(DirectoryDenied)
def reset_denied(stage: Stage) -> object:
    stage.refuse("ResetUserPassword", 403, "NoPermission")
    return stage.event()


@ends(DirectoryRefused)
def lookup_refused(stage: Stage) -> object:
    stage.refuse("ListUsers", 400, "Surprise.Of.The.Day")
    return stage.event()


@ends(DirectoryUnavailable)
def lookup_unreadable(stage: Stage) -> object:
    stage.strike("ListUsers", "garbage", body=GARBAGE, count=ALWAYS)
    return stage.event()


@ends(ResetNotAllowed)
def reset_not_allowed(stage: Stage) -> object:
    stage.refuse("ResetUserPassword", 400, "OperationDenied.Somehow")
    return {**stage.event(), "GenerateRandomPassword": True}


@ends(PasswordRejected)
def candidate_rejected(stage: Stage) -> object:
    stage.refuse("ResetUserPassword", 400, "InvalidParameter.Password")
    return {**stage.event(), "GenerateRandomPassword": False}


@ends(ResetOutcomeUnknown)
def answers_to_resets_lost(stage: Stage) -> object:
    stage.strike("ResetUserPassword", "drop-after", count=ALWAYS)
    return stage.event()


# the store


@ends(SecretStoreDenied)
def claim_denied(stage: Stage) -> object:
    stage.refuse("CreateSecret", 403, "Forbidden.NoPermission")
    return stage.event()


@ends(SecretRefused)
def claim_refused(stage: Stage) -> object:
    stage.refuse("CreateSecret", 400, "Rejected.LimitExceeded")
    return stage.event()


@ends(SecretRefused)
def claim_in_conflict(stage: Stage) -> object:
    stage.rotate()
    stage.refuse("PutSecretValue", 409, "Rejected.ResourceExist")
    return stage.event()


@ends(SecretNotFound)
def secret_vanished(stage: Stage) -> object:
    stage.rotate()
    stage.refuse("PutSecretValue", 404, "Forbidden.ResourceNotFound")
    return stage.event()


@ends(SecretInDeletion)
def secret_in_deletion(stage: Stage) -> object:
    stage.rotate()
    stage.estate.delete_secret(stage.user)
    return stage.event()


@ends(SecretStoreUnavailable)
def list_unreadable(stage: Stage) -> object:
    stage.strike("ListSecretVersionIds", "garbage", body=GARBAGE, count=ALWAYS)
    return stage.event()


# the protocol


@ends(RotationInProgress)
def rotation_in_progress(stage: Stage) -> object:
    stage.rotate()
    stage.estate.write_by_hand(stage.user, "r2-c1")
    return stage.event(DryRun=True)


@ends(OutOfTime)
def out_of_time(stage: Stage) -> object:
    stage.estate.cloud.faults.before("ListSecretVersionIds", lambda: stage.estate.cloud.clock.shift(240))
    return stage.event()


@ends(NotPublished)
def publication_lost(stage: Stage) -> object:
    # A page instead of an answer: the SDK repeats what is dropped or refused, and sleeps in between.
    stage.strike("PutSecretValue", "refuse-garbage", status=200, body=GARBAGE, count=ALWAYS)
    return stage.event()


@ends(NotPublished)
def published_by_another(stage: Stage) -> object:
    stage.strike("PutSecretValue", "error", status=409, code="Rejected.ResourceExist")
    stage.strike("PutSecretValue", "refuse-garbage", status=200, body=GARBAGE, nth=2, count=ALWAYS)
    return stage.event()


@ends(TooManyAttempts)
def too_many_attempts(stage: Stage) -> object:
    stage.rotate()
    for attempt in range(1, 7):
        stage.estate.write_by_hand(stage.user, f"r2-c{attempt}")
    stage.estate.later(200)
    return stage.event()


@ends(RotationsFailed)
def batch_with_a_failure(stage: Stage) -> object:
    return [stage.event(), {**stage.event(), "UserName": f"not-{stage.user}"}]


def reasons(endings: Mapping[str, Ending] = ENDINGS) -> set[type[RotatorError]]:
    """Return every error that a scenario ends with."""
    return {ending.error for ending in endings.values() if ending.error is not None}

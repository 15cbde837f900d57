"""How a trial can end otherwise than well; no text here may quote a password or a credential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from shared.openapi import Failure

# Codes that mean the caller and not the call: "Common error codes" of KMS, and the gateway's that all products share.
_NOT_LET_IN = (
    "NoPermission",
    "Forbidden.NoPermission",
    "Forbidden.RAM",
    "InvalidAccessKeyId",
    "InvalidSecurityToken",
    "MissingSecurityToken",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "SignatureNonceUsed",
    "IllegalTimestamp",
    "InvalidTimeStamp",
)


Verdict = Literal["holds", "differs", "default", "other reading", "unknown reading", "skipped", "by hand", "failed"]


class ConformanceError(Exception):
    """What a trial may end with; its text is safe to be shown."""

    @property
    def verdict(self) -> Verdict:
        """What it means for the trial that it ends."""
        return "failed"


class RefusedError(ConformanceError):
    """The service answered, and refused; or its answer was lost. Never the SDK's exception, which holds the request."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.status} {failure.code}" if failure.status else "no readable answer")

    @property
    def verdict(self) -> Verdict:
        """See ConformanceError: a service that refuses what was expected to work differs."""
        return "differs" if self.telling else "failed"

    @property
    def telling(self) -> bool:
        """Whether it answers the question: not if nobody answered, had time, or let the caller in."""
        failure = self.failure
        return failure.refused and not failure.throttled and not failure.code.startswith(_NOT_LET_IN)


class ForeignError(ConformanceError):
    """The call would have touched something that is not this suite's own. Nothing was sent."""


class DiffersError(ConformanceError):
    """The service does not behave as the contract says; the text is what it did instead."""

    @property
    def verdict(self) -> Verdict:
        """See ConformanceError."""
        return "differs"


class SkippedError(ConformanceError):
    """The trial needs something that nobody allowed, or that is not there; the text is what."""

    @property
    def verdict(self) -> Verdict:
        """See ConformanceError."""
        return "skipped"


class UnclearError(ConformanceError):
    """An experiment saw something that fits no reading; the text is what."""

    @property
    def verdict(self) -> Verdict:
        """See ConformanceError."""
        return "unknown reading"


ACCEPTED = "accepted"


def answer_to(send: Callable[[], object]) -> str:
    """Make a call, and return how it was answered: "accepted", or the status and code of a refusal that is telling."""
    try:
        send()
    except RefusedError as refusal:
        if refusal.telling:
            return str(refusal)
        raise
    return ACCEPTED


def outcome_of(send: Callable[[], object]) -> str:
    """Make a call, and return how it ended, whatever that was: what a clean-up wants to know, which must go on."""
    try:
        send()
    except ConformanceError as problem:
        return str(problem)
    except Exception as error:  # noqa: BLE001 - an answer of another shape; the text of the error may quote anything
        return type(error).__name__
    return ACCEPTED


def expect(holds: bool, seen: object) -> None:  # noqa: FBT001 - an assertion that stays when Python runs with -O
    """Say that something differs, and what was seen, unless it holds."""
    if not holds:
        raise DiffersError(str(seen))


def expect_refusal(send: Callable[[], object], *wanted: str) -> None:
    """Expect a call to be refused: with one of these answers, or, if none is given, with any 4xx."""
    seen = answer_to(send)
    expect(seen in wanted if wanted else seen.startswith("4"), seen)

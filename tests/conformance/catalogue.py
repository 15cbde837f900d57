"""What is tried: behaviours that must hold, experiments that tell readings apart, and what only a person can try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

from tests.conformance.bench import Bench
from tests.localcloud.switches import Switches, values

Service = Literal["CloudSSO", "KMS", "Function Compute", "EventBridge"]
Reading = str | bool


@dataclass(frozen=True)
class Behaviour:
    """Something that Alibaba Cloud documents, or that the rotator counts on all the same."""

    service: Service
    sentence: str
    check: Callable[[Bench], None]


@dataclass(frozen=True)
class Experiment:
    """A way to find out which reading of a switch a service follows."""

    service: Service
    switch: str
    find: Callable[[Bench], Reading]


@dataclass(frozen=True)
class ByHand:
    """A switch that no SDK of this project can ask about: what it takes, and how a person finds out."""

    service: Service
    needs: str
    how: str


BEHAVIOURS: list[Behaviour] = []
EXPERIMENTS: dict[str, Experiment] = {}


def behaviour(service: Service, sentence: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Enter a behaviour; the function raises DiffersError, or RefusedError, where the service does otherwise."""

    def enter(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        BEHAVIOURS.append(Behaviour(service, sentence, check))
        return check

    return enter


def experiment(service: Service) -> Callable[[Callable[[Bench], Reading]], Callable[[Bench], Reading]]:
    """Enter an experiment, a function that is named like its switch and returns the reading it found."""

    def enter(find: Callable[[Bench], Reading]) -> Callable[[Bench], Reading]:
        EXPERIMENTS[find.__name__] = Experiment(service, find.__name__, find)
        return find

    return enter


def readings(switch: str) -> tuple[Any, ...]:
    """Return every reading that a switch of the loopback cloud can have, the default first."""
    default = default_of(switch)
    return (default, *(value for value in values(switch) if value != default))


def default_of(switch: str) -> Any:  # noqa: ANN401 - a switch's own
    """Return the reading that the loopback cloud follows unless it is told otherwise."""
    return next(field.default for field in fields(Switches) if field.name == switch)


BY_HAND = {
    "reset_unlocks": ByHand(
        "CloudSSO",
        "sign-ins at the user portal, which no API offers",
        "Reset a throwaway user while MaxLoginAttempts is set; sign in with a wrong password until the portal says "
        "that the account is locked; reset again; sign in with the new password. Let in: true; locked: false.",
    ),
    "async_invocation_type": ByHand(
        "EventBridge",
        "a deployed rule with a function as its target",
        "Deploy s.yaml and put an event onto the bus that the rule `alerts` matches. Listed among the function's "
        "asynchronous tasks: `true is async`; not listed, but in its log: `true is sync`.",
    ),
    "run_options_of_rules": ByHand(
        "EventBridge",
        "a deployed rule with a function that fails and a dead-letter queue",
        "Give the rule a retry strategy and a dead-letter queue and let the function fail. Retried as the strategy "
        "says, and a letter in the queue: true.",
    ),
    "queue_concurrency": ByHand(
        "EventBridge",
        "a deployed stream from a queue to a slow function",
        "Set the stream's concurrency to 2 and send twenty messages to a function that sleeps. Two requests at once in "
        "its log, never more: true.",
    ),
    "dead_letters": ByHand(
        "EventBridge",
        "a deployed stream whose function fails, with a dead-letter queue",
        "Send three messages within one batch window and read the dead-letter queue: one message with one body each is "
        "`one-each`, one message with all three is `whole-batch`.",
    ),
    "undecodable_body": ByHand(
        "EventBridge",
        "a deployed stream from a queue with IsBase64Decode on",
        'Send the plain text `{"UserName": "nobody"}` and look at the event in the function\'s log: the same text is '
        "`kept`, anything else is `mangled`.",
    ),
}

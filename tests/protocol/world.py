"""Worlds for the explorer: what KMS and CloudSSO hold at one instant, as values to compare and to go back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.errors import RotatorError
from shared.model import Password, SecretValue, VersionId
from tests.fakes import NOON, FakeDirectory, FakeStore, Set, Stored
from tests.localcloud.switches import Switches
from tests.protocol.delivery import ALICE, SECRET, Answer, Call
from tests.protocol.invariants import Truth, truth

Readings = tuple[tuple[str, Any], ...]  # of what is undocumented: those that mattered so far, in order


NOTHING_IS_LIVE = Truth(current_is_live=False, live_since=None)


class Undecided(Exception):
    """A behaviour matters now that is not documented, and no reading of it was chosen yet."""

    def __init__(self, switch: str) -> None:
        super().__init__(switch)
        self.switch = switch


class _Chosen:
    """Switches, as far as they were chosen; whoever asks for another one is stopped."""

    def __init__(self, readings: Readings) -> None:
        self._readings = dict(readings)

    def __getattr__(self, switch: str) -> Any:  # noqa: ANN401 - any switch's value
        try:
            return self._readings[switch]
        except KeyError:
            raise Undecided(switch) from None


class Clocks(NamedTuple):
    """The present instant, and what KMS takes it for."""

    true: datetime
    kms: datetime


@dataclass(frozen=True)
class Held:
    """One version of the secret, as a value."""

    id: VersionId
    value: str
    created: datetime
    stages: frozenset[str]


@dataclass(frozen=True)
class World:
    """Everything that both services hold, and what was true when each version was published."""

    versions: tuple[Held, ...] | None = None
    purged: frozenset[VersionId] = frozenset()
    live: tuple[str, datetime] | None = None
    published: frozenset[tuple[VersionId, Truth]] = frozenset()
    truth: Truth = NOTHING_IS_LIVE

    def published_as(self, version: VersionId) -> Truth | None:
        """Return what was true when a version was first published; None if it never was."""
        return next((truth for id_, truth in self.published if id_ == version), None)

    def after(self, call: Call, clocks: Clocks, readings: Readings, generated: str) -> tuple[Answer, World]:
        """Return what a call answers, and the world it leaves; a generated password is told by its text.

        Raises Undecided where it depends on a reading that was not chosen.
        """
        chosen: Any = _Chosen(readings)
        store, directory = self.opened(lambda: clocks.true, lambda: clocks.kms, chosen)
        directory.generate = lambda _user: Password(f"generated-{generated}")
        port: Any = directory if hasattr(directory, call.name) else store
        try:
            answer = Answer(getattr(port, call.name)(*call.args, **call.kwargs))
        except RotatorError as error:
            answer = Answer(error=error.with_traceback(None))  # it would keep every frame of the explorer
        return answer, self._closed(store, directory, call)

    def opened(
        self, true: Callable[[], datetime], kms: Callable[[], datetime], switches: Switches
    ) -> tuple[FakeStore, FakeDirectory]:
        """Return both services, holding what this world holds; `true` and `kms` are their clocks."""
        store = FakeStore(kms, switches=switches)
        store.purged = {(SECRET, version) for version in self.purged}
        if self.versions is not None:
            store.secrets[SECRET] = list(map(_stored, self.versions))
            store.tagged[SECRET] = {}
        directory = FakeDirectory(true, ALICE, switches=switches)
        if self.live is not None:
            directory.sets[ALICE.id] = [Set(Password(self.live[0]), self.live[1], must_change=False)]
        return store, directory

    def _closed(self, store: FakeStore, directory: FakeDirectory, call: Call) -> World:
        if call.name not in ("create", "put", "release", "reset"):
            return self
        stored = store.secrets.get(SECRET)
        live = directory.live(ALICE)
        now_true = truth(store, directory)
        closed = World(
            versions=None if stored is None else tuple(map(_held, stored)),
            purged=frozenset(version for _, version in store.purged),
            live=None if live is None else (live.password.reveal(), live.at),
            published=self.published,
            truth=now_true,
        )
        if call.name == "put" and call.kwargs["stage"] is None and self.published_as(call.args[1]) is None:
            return replace(closed, published=self.published | {(call.args[1], now_true)})
        return closed


def _stored(version: Held) -> Stored:
    return Stored(version.id, SecretValue(version.value), version.created, set(version.stages))


def _held(version: Stored) -> Held:
    return Held(version.id, version.value.reveal(), version.created, frozenset(version.stages))


def beginnings() -> Mapping[str, World]:
    """Return the worlds in which explorations begin, by what is there."""
    return {
        "no secret": World(),
        "rotated before": _rotated(1),
        "foreign current": _rotated(1, "foreign-1"),
        "open claim": _left_open(_rotated(1, "r2-c1")),
        "ten versions": _rotated(5),  # each further one has KMS purge one
        "older made current": _made_current(_rotated(2), "r1"),  # by somebody who wanted the password before
        "written by hand": _rotated(1, "r2"),  # by somebody under an id like ours
    }


def _left_open(world: World) -> World:
    """Be the worker whose claim is open: it is long gone, and reset the password before it went."""
    return _do(world, "reset", ALICE, Password(_LEFT), must_change=False)


def _made_current(world: World, version: str) -> World:
    value = next(held.value for held in world.versions or () if held.id == version)
    return _do(world, "put", SECRET, VersionId(version), SecretValue(value), stage=None)


def _rotated(times: int, *then: str) -> World:
    world = World()
    for number in range(1, times + 1):
        password = Password(f"before-{number}")
        if number == 1:
            world = _do(world, "create", SECRET, VersionId("r1-c1"), _CLAIM, ALICE)
        else:
            world = _do(world, "put", SECRET, VersionId(f"r{number}-c1"), _CLAIM, stage="Rotating")
        world = _do(world, "reset", ALICE, password, must_change=False)
        published = SecretValue(f'{{"Password": "{password.reveal()}"}}')
        world = _do(world, "put", SECRET, VersionId(f"r{number}"), published, stage=None)
    for version in then:
        world = _do(world, "put", SECRET, VersionId(version), _CLAIM, stage="Rotating" if "-c" in version else None)
    return world


def _do(world: World, name: str, *args: object, **kwargs: object) -> World:
    call = Call(name, args, {**kwargs, "send_by": NOON})
    _, after = world.after(call, Clocks(_EARLIER, _EARLIER), _EASY, "")
    return after


_EARLIER = NOON - timedelta(hours=3)
_EASY: Readings = (("repeated_put_moves_stages", True), ("stage_can_be_taken", True))
_LEFT = "before-and-not-published"
_CLAIM = SecretValue(f'{{"Claim": {{"Candidate": "{_LEFT}"}}}}')

"""No password and no credential leaves the rotator by any channel, however an invocation ends."""

from __future__ import annotations

import faulthandler
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest

from shared import errors
from shared.errors import RotatorError, UnexpectedFailure
from shared.kms import KmsSecretStore
from shared.model import DirectoryId, Endpoint, SecretName, SecretValue, User, UserId, UserName, VersionId
from shared.openapi import Signer
from tests.contract.directories import credentials_of
from tests.deployment import CloudClock
from tests.evidence.plugin import Evidence
from tests.localcloud.gateway.faults import KINDS, Kind
from tests.localcloud.server import KMS_REGION, LocalCloud
from tests.wire.endings import ENDINGS, Ending, echoing
from tests.wire.heard import Heard
from tests.wire.overheard import LEVELS, WRONG, BreakingClock, Manner, OverheardRotator, patience
from tests.wire.wiretap import Wiretap

# Which call of a rotation is struck: the action, its how-many-th call, and whether there is a secret already.
CALLS = {
    "lookup": ("ListUsers", 1, False),
    "list": ("ListSecretVersionIds", 1, False),
    "first claim": ("CreateSecret", 1, False),
    "claim": ("PutSecretValue", 1, True),
    "reset": ("ResetUserPassword", 1, False),
    "publication": ("PutSecretValue", 1, False),
    "tag": ("TagResource", 1, False),
}


@pytest.fixture
def rotator(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[OverheardRotator]:
    """Deploy the rotator where everything is heard."""
    tap = Wiretap()
    with LocalCloud(middleware=tap) as cloud:
        yield OverheardRotator(cloud, tap, capfd, monkeypatch)


# every ending


def end(rotator: OverheardRotator, ending: Ending, manner: Manner) -> None:
    heard = rotator.end(ending, manner)
    assert type(heard.error) is (ending.error or type(None)), f"{ending.name} ended with {heard.error}"
    rotator.findings.count("An invocation that ends in each way")


def end_in_each_way(rotator: OverheardRotator) -> None:
    """Run every scenario with passwords of both sources at the lowest level, and once at one of the others."""
    others = itertools.cycle(LEVELS[1:])
    for ending in ENDINGS.values():
        for manner in (Manner(staged=False), Manner(staged=True), Manner(staged=True, level=next(others), runtime=1)):
            end(rotator, ending, manner)


# every call, struck by every fault


def strike_every_call(rotator: OverheardRotator) -> None:
    """Strike each call with each kind of fault; those that carry or bring a password, for both sources."""
    staged = itertools.cycle([False, True])
    for call, kind in itertools.product(CALLS, KINDS):
        both = call in ("reset", "publication")
        for source in (False, True) if both else (next(staged),):
            strike(rotator, call, kind, Manner(source))


def strike(rotator: OverheardRotator, call: str, kind: Kind, manner: Manner) -> None:
    stage = rotator.stage(manner)
    action, nth, later = CALLS[call]
    if later:
        stage.rotate()
    cloud = rotator.deployed.cloud
    armed = cloud.faults.arm(echoing(cloud, action, kind, nth))
    with patience(rotator.monkeypatch, kind, *(each.app for each in rotator.runtimes)):
        rotator.deliver(stage.event(), manner)
    assert armed.struck
    rotator.findings.count("A call of a rotation that a fault strikes")
    rotator.clear()


# a bug at every step


def break_at_every_step(rotator: OverheardRotator) -> None:
    """Let the clock break at its first reading, at its second, and so on until a rotation gets by without it."""
    for staged in (False, True):
        heard = list(_broken(rotator, Manner(staged, runtime=1)))
        assert sum(type(each.error) is UnexpectedFailure for each in heard) >= 8
        rotator.findings.count("A bug at each reading of the clock")


def _broken(rotator: OverheardRotator, manner: Manner) -> Iterator[Heard]:
    for nth in itertools.count(1):
        clock = BreakingClock(rotator.deployed.cloud, nth=0)
        app = rotator.runtimes[manner.runtime].start(clock)
        clock.left = nth
        yield rotator.hear(rotator.stage(manner).event(), manner, app)
        rotator.clear()
        if clock.left > 0:
            return


# an error that is handled within


@dataclass(frozen=True)
class Within:
    """A store, and somebody's secret that is to be written into it."""

    store: KmsSecretStore
    user: User
    value: SecretValue
    send_by: datetime

    def create(self, name: str) -> None:
        self.store.create(SecretName(name), VersionId("r1-c1"), self.value, self.user, send_by=self.send_by)

    def conflict(self) -> None:
        """Put other data under a version id that is taken."""
        name = f"cloudsso/{self.user.directory_id}/conflict"
        self.create(name)
        other = SecretValue(self.value.reveal() + " ")
        self.store.put(SecretName(name), VersionId("r1-c1"), other, stage="Rotating", send_by=self.send_by)

    def create_twice(self) -> None:
        for _ in range(2):
            self.create(f"cloudsso/{self.user.directory_id}/twice")


HANDLED_WITHIN: dict[type[RotatorError], Callable[[Within], None]] = {
    errors.VersionConflict: Within.conflict,
    errors.SecretExists: Within.create_twice,
}


def _act(act: Callable[[Within], None], within: Callable[[], Within]) -> None:
    act(within())


def fail_within(rotator: OverheardRotator) -> None:
    """Raise what no invocation ends with, since the protocol handles it."""
    cloud = rotator.deployed.cloud
    user = User(
        DirectoryId(rotator.deployed.directory_id), UserId("u-0"), UserName("w"), enabled=True, synchronized=False
    )
    value, who = SecretValue(rotator.mint.staged(user.name).reveal()), credentials_of(rotator.fresh_credentials())
    at, send_by = Endpoint(cloud.endpoint, "HTTP"), cloud.clock.now() + timedelta(seconds=20)

    def within() -> Within:
        return Within(KmsSecretStore(KMS_REGION, at, Signer(who), CloudClock(cloud)), user, value, send_by)

    for error, act in HANDLED_WITHIN.items():
        heard = rotator.overhear(error.__name__, partial(_act, act, within))
        assert type(heard.error) is error
        rotator.findings.count("An error that the protocol handles")


# what is wrong before there is a request


def start_in_wrong_environments(rotator: OverheardRotator) -> None:
    for name, value in WRONG.items():
        assert isinstance(rotator.start(name, value).error, errors.SettingsError)
        rotator.findings.count("An environment that does not make sense")


def dump_stacks(rotator: OverheardRotator) -> None:
    """Write every thread's stack to the standard error while a reset is under way, as at a time-out."""
    for staged in (False, True):
        stage = rotator.stage(Manner(staged))
        rotator.deployed.cloud.faults.before("ResetUserPassword", lambda: faulthandler.dump_traceback(2))
        heard = rotator.hear(stage.event(), Manner(staged))
        rotator.clear()
        assert "most recent call first" in heard.said["standard error"]
        rotator.findings.count("Stacks written in the middle of a reset")


def test_no_secret_leaves_the_rotator_by_any_channel(rotator: OverheardRotator, evidence: Evidence) -> None:
    end_in_each_way(rotator)
    strike_every_call(rotator)
    break_at_every_step(rotator)
    fail_within(rotator)
    start_in_wrong_environments(rotator)
    dump_stacks(rotator)
    findings = rotator.findings
    assert findings.leaks == []
    evidence.publish("leaks-rotation", findings.text(evidence))

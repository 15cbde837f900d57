"""No password and no credential is in anything that the platform keeps, or that others see, of real processes."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.plugin import Evidence
from tests.installation import ROTATOR, SCAN, STATUS
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.loopback.workshop import until
from tests.wire.endings import ALWAYS, ECHO, ENDINGS, Stage
from tests.wire.findings import Mint
from tests.wire.leaks import Scanner
from tests.wire.loud import BROKEN, BUG, LEAKED
from tests.wire.loudly import LoudInstallation
from tests.wire.surveys import http_event
from tests.wire.survivors import MARK
from tests.wire.wiretap import Wiretap


class Kept:
    """An installation whose every secret is known."""

    def __init__(self, installed: LoudInstallation, mint: Mint, folder: Path) -> None:
        self.folder = folder
        self.installed = installed
        self.cloud = installed.cloud
        self.ran: Counter[str] = Counter()
        self.mint = mint
        self._users = 0

    def user(self, name: str = "user") -> str:
        """Create a user without a password or a secret."""
        self._users += 1
        made = f"{name}{self._users}"
        self.installed.user_ids[made] = self.cloud.cloudsso.add_user(made)
        return made

    def invoke(self, kind: str, event: object) -> dict[str, Any]:
        """Invoke the rotator, as a workflow does, and lift the faults that were armed for it."""
        result = self.installed.invoke(ROTATOR, event)
        self.cloud.faults.clear()
        self.ran[kind] += 1
        answer: dict[str, Any] = json.loads(result.payload)
        return answer

    def settle(self, kind: str) -> None:
        """Let happen what was sent."""
        self.installed.settle()
        self.cloud.faults.clear()
        self.ran[kind] += 1

    def leaks(self) -> set[str]:
        """Return the channels in which a secret was."""
        scanner = Scanner({*self.mint.made, *self.installed.secrets()})
        return {channel for channel, text in self.installed.kept() if scanner.found(text)}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Deploy the functions, as loud as they can be, where nobody waits in real time."""
    tap, mint = Wiretap(), Mint()
    with LocalCloud(skip_waiting=True, middleware=tap) as cloud:
        cloud.cloudsso.generate = mint.generated
        yield Kept(LoudInstallation(cloud, tap, tmp_path), mint, tmp_path)


def alert(kept: Kept, user: str) -> dict[str, Any]:
    event: dict[str, Any] = kept.installed.sample("security-alert.json")
    time = kept.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**event, "id": user, "time": time, "data": {**event["data"], "user": user, "UserName": user}}


def end_in_each_way(kept: Kept) -> None:
    for number, ending in enumerate(ENDINGS.values()):
        stage = Stage(kept.installed, kept.user(), number % 2 == 0, lambda event: kept.installed.invoke(ROTATOR, event))
        answer = kept.invoke("An invocation that ends in each way", ending.arrange(stage))
        assert answer.get("errorType") == (ending.error.__name__ if ending.error else None), ending.name


def meet_a_bug(kept: Kept) -> None:
    kept.mint.made.add(BUG)
    answer = kept.invoke("A bug", {"UserName": kept.user(BROKEN), "GenerateRandomPassword": False})
    assert answer["errorType"] == "UnexpectedFailure"


def be_cut_off(kept: Kept) -> None:
    """Be killed, and be ended for taking too long, when only this process knows the new password."""
    for staged in (True, False):
        request = {"UserName": kept.user(), "GenerateRandomPassword": not staged}
        kept.cloud.faults.after("ResetUserPassword", kept.installed.kill_rotators)
        assert "exited unexpectedly" in kept.invoke("An instance that is killed after a reset", request)["errorMessage"]
        kept.cloud.faults.after("ResetUserPassword", partial(outlast, kept))
        request = {**request, "UserName": kept.user()}
        assert "time out" in kept.invoke("An instance that takes too long after a reset", request)["errorMessage"]


def outlast(kept: Kept) -> None:
    """Let the time pass that an invocation has, and its end come before the answer that it waits for."""
    instances = [each for each in kept.cloud.fc.instances(ROTATOR) if each.at_work]
    kept.cloud.clock.shift(400)
    until(lambda: not any(each.alive for each in instances), "the instance to be ended")


def come_by_every_way(kept: Kept) -> None:
    """Succeed and fail by the queue and by the event bus: what ends where, both ends keep."""
    for fails in (False, True):
        for kind, send in (("A message in the queue", kept.installed.send), ("An alert", kept.installed.alert)):
            user = kept.user()
            if fails:
                kept.cloud.faults.arm(_denied("CreateSecret"))
            send({"UserName": user} if kind.endswith("queue") else alert(kept, user))
            kept.settle(f"{kind} that fails for good" if fails else kind)
    assert len(kept.installed.dead_letters()) == 2
    assert len(kept.installed.results()) == 1


def scan(kept: Kept) -> None:
    """Scan with a user who is due, whose rotation becomes a task; and fail to."""
    user = kept.user()
    kept.invoke("A rotation for a scan to find", {"UserName": user})
    kept.cloud.clock.shift(timedelta(hours=1).total_seconds())
    kept.installed.age_secret(user, days=85)
    kept.installed.scan()
    kept.settle("A scan that hands on a rotation")
    kept.cloud.faults.arm(_denied("ListSecrets"))
    kept.installed.scan()
    kept.settle("A scan that fails for good")
    assert [line["Dispatched"] for line in kept.installed.audit(SCAN) if line["Outcome"] == "scanned"] == [1]
    assert len(kept.installed.dead_letters("failed-scans")) == 1


def look(kept: Kept) -> None:
    """Look at the state in each way, with all of it and with a part that cannot be read; and fail to."""
    asked: list[object] = [{}, {"Doctor": True}, http_event(fresh="1"), http_event(view="doctor", fresh="1")]
    for event, denied in itertools.product(asked, (False, True)):
        if denied:
            kept.cloud.faults.arm(_denied("ListSecretVersionIds"))
        assert kept.installed.invoke(STATUS, event).error_type is None
        kept.settle("A look at the state, of which a part cannot be read" if denied else "A look at the state")
    kept.cloud.fc.invoke_async(STATUS, b'{"Nonsense": 1}')
    kept.settle("A look that fails for good")
    assert len(kept.installed.dead_letters("failed-scans")) == 2


def leak_on_purpose(kept: Kept) -> None:
    """Leak a secret by every way there is, from each function."""
    kept.mint.made.add(LEAKED)
    kept.installed.invoke(ROTATOR, {"Leak": "return", "Into": str(kept.folder)})
    leaks = [(ROTATOR, "return", LEAKED), *((target, "raise", None) for target in (ROTATOR, SCAN, STATUS))]
    for target, how, task_id in leaks:
        event = {"Leak": how, "Into": str(kept.folder)}
        kept.cloud.fc.invoke_async(target, json.dumps(event).encode(), task_id)
    kept.installed.settle()


def _denied(action: str) -> Fault:
    return Fault(action, "error", status=403, code="Forbidden.NoPermission", message=ECHO, count=ALWAYS)


def test_no_secret_is_in_anything_that_the_platform_keeps(kept: Kept, evidence: Evidence) -> None:
    end_in_each_way(kept)
    meet_a_bug(kept)
    be_cut_off(kept)
    come_by_every_way(kept)
    scan(kept)
    look(kept)
    logs = "\n".join(record.text for record in kept.cloud.fc.logs())
    assert "The function is terminated. The stacks of its threads:" in logs
    assert "most recent call first" in logs  # as of each request sent
    secrets = set(kept.installed.secrets())
    assert len({each for each in secrets - kept.mint.made if MARK.fullmatch(each)}) >= 10  # staged passwords
    assert len(secrets) > 2 * len(ENDINGS)  # a key and a token each
    assert kept.leaks() == set()
    ran = dict(kept.ran)
    leak_on_purpose(kept)
    channels = kept.leaks()
    assert len(channels) == 12, channels
    table = evidence.table(["What happens", "Scenarios"], ran.items())
    control = f"One that is leaked on purpose afterwards is found in each of: {', '.join(sorted(channels))}."
    found = textwrap.fill(f"{sum(ran.values())} scenarios: **0 found**. {control}", 118)
    evidence.publish("leaks-kept", f"{table}\n\n{found}")

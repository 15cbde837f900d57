"""A soak: hours of work on what is deployed, with faults and kills at random.

A seed decides what is sent, struck and killed, and when. How threads and processes interleave is left to the machine.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.installation import ROTATOR, Installation
from tests.localcloud.fc.deploy import spec
from tests.localcloud.fc.instance import Instance
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.matrix_cells import ALWAYS, FAULTS

FIRST = "First-Pass-01!x"
LONGEST_SETTLING = 900.0  # real seconds
STRUCK = (
    "ListUsers",
    "ListSecretVersionIds",
    "CreateSecret",
    "PutSecretValue",
    "ResetUserPassword",
    "TagResource",
    "ListSecrets",
    "InvokeFunction",
)


@dataclass(frozen=True)
class Load:
    """How much happens within one stretch of time."""

    seconds: int = 600
    events: int = 400
    faults: int = 45
    kills: int = 8
    scans: int = 2
    denials: int = 1  # a user whose resets are refused for good, until the stretch is over


@dataclass(frozen=True)
class Size:
    """What it happens to, and how often."""

    users: int = 36
    instances: int = 8  # at most; more events than that at once are refused with 429, and tried again
    stretches: int = 6
    load: Load = field(default_factory=Load)


class Soak:
    """One installation under load; `stretch` may be repeated."""

    def __init__(self, cloud: LocalCloud, manifest: Path, elsewhere: str, size: Size, seed: int) -> None:
        cloud.random.seed(seed)
        self.installed = Installation(cloud, manifest=manifest, ONBOARD="all", PROTECTED_USERS="root-*")
        self.cloud = cloud
        self._limit = size.instances
        self.end_instances()
        self.sent: Counter[str] = Counter()
        self.asked: dict[str, datetime] = {}  # since when each user's password must have been rotated
        self.killed = 0
        self._random = random.Random(seed)  # noqa: S311 - what happens in a test, not a secret
        self._elsewhere = elsewhere
        self._killing = threading.Lock()
        self._users = [f"user-{number:02}" for number in range(size.users)]
        for user in self._users:
            self.installed.add_user(user, FIRST)
        self.installed.add_user("root-admin", FIRST)
        self.survivor: Instance | None = None  # who is never killed

    def spare_one(self) -> Instance:
        """Start an instance that is not to be killed."""
        self.installed.invoke(ROTATOR, {"UserName": "root-admin"})
        (self.survivor,) = self.cloud.fc.instances(ROTATOR)
        return self.survivor

    def end_instances(self) -> None:
        """Deploy the functions anew, which ends every instance."""
        rotator, *others = (spec(function) for function in self.installed.manifest.functions)
        self.cloud.fc.deploy(replace(rotator, reserved_concurrency=self._limit))
        for other in others:
            self.cloud.fc.deploy(other)

    def stretch(self, load: Load) -> None:
        """Let events, faults and kills happen at random within so many seconds, and what follows from them."""
        denied = self._random.sample(self._users, load.denials)
        for user in self._random.sample(self._users, len(self._users) // 4):
            self._age(user)
        with self.cloud.timeline.busy():
            for count, do in (
                (load.events, self._event),
                (load.faults, self._fault),
                (load.kills, self._kill),
                (load.scans, self._scan),
            ):
                for _ in range(count):
                    self._some_time(load.seconds, do)
            for user in denied:
                self._deny(user)
        self.installed.settle(LONGEST_SETTLING)
        self.cloud.faults.clear()
        self.cloud.clock.shift(100)  # no lease of one stretch reaches into the next

    # what happens

    def _some_time(self, seconds: int, do: Callable[[random.Random], object]) -> None:
        """Let something happen within so many seconds; all that is random about it is drawn here, in order."""
        drawn = random.Random(self._random.random())  # noqa: S311 - as above
        self.cloud.timeline.after(drawn.uniform(0, seconds), lambda: do(drawn))

    def _event(self, drawn: random.Random) -> None:
        user = drawn.choice(self._users)
        since = self.cloud.clock.now() - timedelta(seconds=drawn.choice((0, 0, 30, 300)))
        way, send = drawn.choice(self._ways())
        send(user, since, drawn)
        self.sent[way] += 1
        self.asked[user] = max(since, self.asked.get(user, since))

    def _ways(self) -> list[tuple[str, Callable[[str, datetime, random.Random], object]]]:
        return [("queue", self._by_queue), ("event bus", self._by_alert), ("asynchronous", self._asynchronously)]

    def _by_queue(self, user: str, since: datetime, drawn: random.Random) -> None:
        self.installed.send(_request(user, since, drawn))

    def _by_alert(self, user: str, since: datetime, drawn: random.Random) -> None:
        event: dict[str, Any] = self.installed.sample("security-alert.json")
        number = f"alert-{drawn.getrandbits(64):x}"
        self.installed.alert({**event, "id": number, "time": _stamp(since), "data": {"UserName": user}})

    def _asynchronously(self, user: str, since: datetime, drawn: random.Random) -> None:
        payload = json.dumps(_request(user, since, drawn)).encode()
        self.cloud.fc.invoke_async(ROTATOR, payload)

    def _fault(self, drawn: random.Random) -> None:
        fields: dict[str, Any] = dict(drawn.choice(list(FAULTS.values())))
        if fields["kind"] == "redirect":
            fields["location"] = self._elsewhere
        fault = Fault(drawn.choice(STRUCK), nth=drawn.randint(1, 4), **fields)
        self.cloud.faults.arm(fault)

    def _deny(self, user: str) -> None:
        where = {"UserId": self.installed.user_ids[user]}
        fault = Fault("ResetUserPassword", "error", status=403, code="NoPermission", count=ALWAYS, where=where)
        self.cloud.faults.arm(fault)

    def _kill(self, drawn: random.Random) -> None:
        """Kill one instance, at the first call after a few at which there is one to kill."""
        due = [drawn]
        when = drawn.choice((self.cloud.faults.before, self.cloud.faults.after))
        when("*", lambda: self._kill_one(due), nth=drawn.randint(1, 9), count=ALWAYS)

    def _kill_one(self, due: list[random.Random]) -> None:
        """Kill an instance at work, of whichever function; never the survivor."""
        at_work = [each for each in self.cloud.fc.instances() if each.at_work and each is not self.survivor]
        with self._killing:
            if at_work and due:
                due.pop().choice(at_work).kill()
                self.killed += 1

    def _age(self, user: str) -> None:
        """Let a scan find that a user is due, or that there is no secret yet."""
        if self.installed.has_secret(user):
            self.installed.age_secret(user, days=100)

    def _scan(self, _drawn: random.Random) -> None:
        self.installed.scan()
        self.sent["timer"] += 1


def _request(user: str, since: datetime, drawn: random.Random) -> dict[str, object]:
    request: dict[str, object] = {"UserName": user, "RotatedSince": _stamp(since)}
    return {**request, "GenerateRandomPassword": False} if drawn.random() < 0.5 else request


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

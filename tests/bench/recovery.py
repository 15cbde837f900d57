"""How long a user waits for a new password when something is lost on the way, by the cloud's own clock.

Waiting is skipped, so this costs no time; what counts is which waits there are: the queue's, the lease, the retries.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.bench.arena import BenchError
from tests.bench.results import Recovery
from tests.installation import Installation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud


def measure(tell: Callable[[str], object]) -> Recovery:
    """Send a request to the queue three times: undisturbed, with a lost answer, and with a killed instance."""
    tell("recovering")
    return Recovery(
        undisturbed=_seconds(lambda _installed: None),
        lost_answer=_seconds(lambda installed: installed.cloud.faults.arm(Fault("ResetUserPassword", "drop-after"))),
        killed=_seconds(lambda installed: installed.cloud.faults.after("ResetUserPassword", installed.kill_rotators)),
    )


def _seconds(disturb: Callable[[Installation], object]) -> float:
    """Return how long it is from the request to the publication."""
    with LocalCloud(skip_waiting=True) as cloud:
        installed = Installation(cloud)
        installed.add_user("alice", "First-Pass-01!x")
        published: list[datetime] = []
        cloud.faults.after("PutSecretValue", lambda: published.append(cloud.clock.now()), count=100)
        disturb(installed)
        sent = cloud.clock.now()
        installed.send({"UserName": "alice"})
        installed.settle()
        if not published or installed.current_signs_in("alice") != "ok":
            message = "the user was not rotated in the end, so there is no time of recovery"
            raise BenchError(message)
        return round((published[-1] - sent).total_seconds(), 1)

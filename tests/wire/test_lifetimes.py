"""How long a password lives in the process that rotated it: not past the end of the invocation."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.evidence.plugin import Evidence
from tests.installation import ROOT, ROTATOR, STATUS
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.endings import ALWAYS, ECHO, ENDINGS, Stage
from tests.wire.findings import Mint
from tests.wire.kept import WAYS
from tests.wire.loudly import LoudInstallation
from tests.wire.surveys import http_event
from tests.wire.survivors import HOLDERS
from tests.wire.wiretap import Wiretap

# The successes, and a failure of each step: which of the scenarios, and with a staged password or not.
LOOKED_AT = {
    "first rotation": (False, True),
    "later rotation": (True,),
    "batch in parallel": (False,),
    "lost answers mended within one invocation": (True,),
    "lookup unreadable": (True,),
    "list unreadable": (False,),
    "claim denied": (True,),
    "candidate rejected": (True,),
    "answers to resets lost": (False,),
    "publication lost": (True,),
    "batch with a failure": (True,),
}


@pytest.fixture
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoudInstallation]:
    """Deploy the functions on the runtime that keeps credentials in the environment, or on another."""
    tap = Wiretap()
    with LocalCloud(skip_waiting=True, middleware=tap) as cloud:
        cloud.cloudsso.generate = Mint().generated
        yield LoudInstallation(cloud, tap, tmp_path, getattr(request, "param", "python3.12"))


def survey(installed: LoudInstallation, what: object = True, whom: Target = ROTATOR) -> list[str]:  # noqa: FBT002 - part of an event
    """Ask the instance that has rotated, or looked, what has survived."""
    found: list[str] = json.loads(installed.invoke(whom, {"Survey": what}).payload)
    return found


def run(installed: LoudInstallation, name: str, *, staged: bool) -> None:
    user = f"{name.replace(' ', '-')}-{staged}"
    installed.user_ids[user] = installed.cloud.cloudsso.add_user(user)
    ending = ENDINGS[name]
    stage = Stage(installed, user, staged, lambda event: installed.invoke(ROTATOR, event))
    result = installed.invoke(ROTATOR, ending.arrange(stage))
    installed.cloud.faults.clear()
    kind = json.loads(result.payload).get("errorType")
    assert kind == (ending.error.__name__ if ending.error else None), f"{name} ended with {result.payload!r}"


def test_no_password_survives_the_invocation_that_made_it(installed: LoudInstallation, evidence: Evidence) -> None:
    rows = []
    for name, sources in LOOKED_AT.items():
        for staged in sources:
            run(installed, name, staged=staged)
            found = survey(installed)
            rows.append((name, "staged" if staged else "generated", len(found)))
            assert found == [], f"{name}, staged {staged}"
    assert survey(installed, "keep") == ["list holds a marked text"]
    assert installed.cloud.fc.cold_starts(ROTATOR) == 1  # it was one process all along
    table = evidence.table(["Invocation", "Password", "Found afterwards"], rows)
    evidence.publish(
        "lifetimes", f"{table}\n\n{len(WAYS) - 1} ways to keep one, tried in a process of their own: found."
    )


# What is kept of a look is the last one, for a minute; of one with a gap the gap's error, and of a page its templates.
LOOKS: dict[str, object] = {
    "everybody": {},
    "the doctor": {"Doctor": True},
    "one user": {"UserName": "alice"},
    "nobody": {"UserName": "nobody"},
    "malformed": {"Nonsense": 1},
    "a page": http_event(fresh="1"),
    "a page of what was kept": http_event(),
    "a page that there is not": http_event(path="/other"),
}
GAPS = ("GetPasswordPolicy", "GetExternalSAMLIdentityProvider", "ListUsers", "ListSecrets", "ListSecretVersionIds")


@pytest.mark.parametrize("installed", ["python3.10", pytest.param("python3.12", marks=pytest.mark.long)], indirect=True)
def test_no_credential_survives_in_what_is_kept_from_one_look_to_the_next(installed: LoudInstallation) -> None:
    """Credentials, what signs with them and what was signed are found by their kinds, whoever holds them."""
    installed.add_user("alice")
    assert installed.invoke(ROTATOR, {"UserName": "alice"}).error_type is None
    installed.later(3600)
    whole, partial = itertools.product(LOOKS.items(), [None]), zip(LOOKS.items(), itertools.cycle(GAPS))
    for (name, event), denied in itertools.chain(whole, partial):
        if denied is not None:
            refusal = Fault(denied, "error", status=403, code="NoPermission", message=ECHO, count=ALWAYS)
            installed.cloud.faults.arm(refusal)
        installed.invoke(STATUS, event)
        installed.cloud.faults.clear()
        assert survey(installed, whom=STATUS) == [], f"{name}, without {denied}"
    assert survey(installed, "keep", STATUS) == ["list holds a marked text"]
    assert installed.cloud.fc.cold_starts(STATUS) == 1  # it was one process all along


def test_the_search_finds_every_way_to_keep_a_password() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.wire.kept"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    told: dict[str, list[str]] = json.loads(ran.stdout)
    assert set(told) == {*WAYS, "nothing any more"}
    assert {way for way, found in told.items() if not found} == {"nothing", "nothing any more"}


@pytest.mark.parametrize("holder", sorted(HOLDERS - {"builtins.traceback"}))
def test_what_must_not_outlive_an_invocation_is_called_what_it_is_called(holder: str) -> None:
    module, _, name = holder.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    assert f"{kind.__module__}.{kind.__qualname__}" == holder

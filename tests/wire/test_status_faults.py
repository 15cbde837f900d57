"""Whatever becomes of its calls, the function that shows the state answers: with what is so, and what it does not know.

Every kind of fault strikes each of its five calls, once or for as long as it looks, from the first page or the second,
where truly all is well: so whatever else is said of anybody is false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import darabonba.core
import pytest

from shared import connections, openapi, surveying
from tests.evidence.plugin import Evidence
from tests.localcloud.gateway.faults import KINDS, Fault, Kind
from tests.localcloud.server import LocalCloud
from tests.wire.endings import ALWAYS, echoing
from tests.wire.overheard import patience
from tests.wire.surveys import ROLE, Surveys
from tests.wire.test_doctor import lose

CROWD = 101  # the least that takes two pages
# What each call is for, as gaps name it.
PARTS = {
    "GetPasswordPolicy": "password policy",
    "GetExternalSAMLIdentityProvider": "SSO logon",
    "ListUsers": "users",
    "ListSecrets": "secrets",
    "ListSecretVersionIds": "versions",
}
PAGED = ("ListUsers", "ListSecrets", "ListSecretVersionIds")
# Which calls of each event are struck: from which one on, and how many.
PLACES = {"once": (PARTS, 1, 1), "always": (PARTS, 1, ALWAYS), "from the second on": (PAGED, 2, ALWAYS)}
PROBLEMS = {"denied": "permission-missing", "refused": "wrong-region", "unavailable": "endpoint-unreachable"}
ALL_IS_WELL, IN_ORDER = "all is shown", "Every password is in order"
FOLLOWS = {"SSO logon": "fresh", "versions": "fresh"}
FEW = "user00000"  # ten of them


class Bench:
    """A directory of two pages in which all is well, and who looks at it in every way."""

    def __init__(self, cloud: LocalCloud, **settings: str) -> None:
        self.cloud = cloud
        self.surveys = Surveys(cloud, STATUS_LOOKUPS="3", **settings)
        ids = cloud.cloudsso.seed_users(CROWD)
        cloud.clock.shift(timedelta(days=20).total_seconds())
        ours = {"ManagedBy": "cloudsso-rotator", "DirectoryId": self.surveys.directory_id}
        rotated = cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        cloud.kms.seed_secrets(
            CROWD,
            f"cloudsso/{self.surveys.directory_id}/user",
            tags=lambda number: {**ours, "UserId": ids[number], "RotatedAt": rotated},
            versions=("r1-c1", "r1"),
        )
        cloud.clock.shift(3600)
        self.ways: list[Callable[[], dict[str, Any]]] = [
            lambda: self.surveys.show(Search=FEW),
            lambda: self.surveys.show(Doctor=True),
            lambda: self.surveys.browse(q=FEW),
        ]

    def look(self, action: str = "", kind: Kind = "error", nth: int = 1, count: int = 1) -> Look:
        """Look in each way, with a new instance each, while a fault strikes; return what is answered."""
        found = []
        for way in self.ways:
            self.surveys.restart()
            armed = action and self.cloud.faults.arm(replace(echoing(self.cloud, action, kind, nth), count=count))
            found.append(way())
            assert not armed or armed.struck
            self.cloud.faults.clear()
            self.cloud.release_late()
        return Look(*found)


class Look:
    """What a workflow was answered, what the doctor said, and what a browser shows."""

    def __init__(self, status: dict[str, Any], doctor: dict[str, Any], page: dict[str, Any]) -> None:
        self.answers, self.page = (status, doctor), page
        self.standings = status["Standings"]
        self.findings = doctor["Findings"]

    def judged(self, action: str) -> str:
        """Hold everything to the truth, which is that all is well; return what is said not to be known, and why."""
        assert self.page["statusCode"] == 200
        gaps = [gap for answer in self.answers for gap in answer["Gaps"]]
        if not gaps:
            self._is_whole()
            return ALL_IS_WELL
        reason: str
        (reason,) = {gap["Error"] for gap in gaps}
        assert [gap["Part"] for gap in gaps] == [PARTS[action]] * 2
        self._is_partial(PARTS[action], PROBLEMS[reason.rpartition("-")[2]])
        return reason

    def _is_whole(self) -> None:
        for answer in self.answers:
            assert (answer["Healthy"], answer["Complete"], answer["Users"]) == (True, True, CROWD)
            assert answer["States"]["fresh"] == answer["Managed"] == CROWD
        assert {one["State"] for one in self.standings} == {"fresh"}
        assert self.findings == []
        assert IN_ORDER in self.page["body"]

    def _is_partial(self, part: str, problem: str) -> None:
        for answer in self.answers:
            assert (answer["Healthy"], answer["Complete"]) == (False, False)
            states = {state: count for state, count in (answer["States"] or {}).items() if count}
            # The tags, which all secrets were read with, tell a fresh password without SSO logon or a look at versions.
            assert states == ({} if part == "users" else {FOLLOWS.get(part, "unknown"): CROWD})
        assert [finding["Problem"] for finding in self.findings] == [problem]
        assert self.findings[0]["What"].startswith(f"The {part} could not be read.")
        assert f"The {part} could not be read" in self.page["body"]
        assert IN_ORDER not in self.page["body"]


@pytest.fixture
def bench(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Let time pass on the cloud's clock while the SDK waits."""
    monkeypatch.setattr(darabonba.core.DaraCore, "sleep", staticmethod(lambda span: cloud.clock.shift(span / 1000)))
    made = Bench(cloud)
    assert made.look().judged("") == ALL_IS_WELL
    return made


@pytest.mark.parametrize("action", PARTS)
@pytest.mark.parametrize(("kind", "reason"), [("drop-after", "unavailable"), ("refuse-garbage", "refused")])
def test_what_cannot_be_read_is_said_and_nothing_is_made_of_it(
    bench: Bench, action: str, kind: Kind, reason: str
) -> None:
    """A part of what follows, which takes minutes."""
    assert bench.look(action, kind, count=ALWAYS).judged(action).endswith(reason)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_whatever_fault_strikes_it_answers_with_what_is_so_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, evidence: Evidence, place: str
) -> None:
    rows = []
    actions, nth, count = PLACES[place]
    for action in actions:
        told = dict[Kind, str]()
        for kind in KINDS:
            with patience(monkeypatch, kind):
                told[kind] = bench.look(action, kind, nth, count).judged(action)
        rows.append((f"`{action}`", *(_by(told, reason) for reason in ("refused", "unavailable"))))
    table = evidence.table([f"Struck {place}", "A gap: refused", "A gap: unavailable"], rows)
    evidence.publish(f"faults-status-{place.split()[-2 if ' ' in place else 0]}", table)


def _by(told: dict[Kind, str], reason: str) -> str:
    """Return the kinds that end so; all, but a few."""
    kinds = [kind for kind in KINDS if told[kind].endswith(reason)]
    return ", ".join(f"`{kind}`" for kind in kinds)


# ------------------------------------------------------------------------------------------------------------ its time


def outlast(bench: Bench, action: str, nth: int) -> None:
    """Let the time of an invocation be over, all but a second of the reserve, when a call is answered."""
    limit = bench.surveys.status_context.function.timeout - surveying.RESERVE.total_seconds() + 1
    bench.surveys.restart()
    bench.cloud.calls.clear()
    bench.cloud.faults.after(action, lambda: bench.cloud.clock.shift(limit), nth=nth)


@pytest.mark.parametrize(("action", "nth"), [("ListUsers", 1), ("ListSecrets", 1), ("ListSecretVersionIds", 1)])
def test_what_there_is_no_time_for_is_not_begun_and_is_said_to_be_missing(
    cloud: LocalCloud, action: str, nth: int
) -> None:
    bench = Bench(cloud, MAX_PARALLEL="1")
    outlast(bench, action, nth)
    answer = bench.surveys.show(Search=FEW)
    assert (answer["Healthy"], answer["Complete"]) == (False, False)
    late = {gap["Part"] for gap in answer["Gaps"]}
    assert {gap["Error"] for gap in answer["Gaps"]} == {"out-of-time"}
    assert late == {"ListUsers": {"users", "secrets"}, "ListSecrets": {"secrets"}}.get(action, {"versions"})
    assert [call.action for call in cloud.calls.matching(role=ROLE)][-1] == action  # and nothing after it
    assert not answer["States"] or answer["States"]["unmanaged"] == 0
    assert bench.surveys.show(Doctor=True)["Complete"]  # the next one has all the time there is


def test_where_few_calls_run_side_by_side_those_that_wait_are_not_begun_too_late(cloud: LocalCloud) -> None:
    bench = Bench(cloud, MAX_PARALLEL="1")
    outlast(bench, "GetPasswordPolicy", 1)
    answer = bench.surveys.show()
    assert [gap["Part"] for gap in answer["Gaps"]] == ["SSO logon", "users", "secrets"]
    assert [call.action for call in cloud.calls.matching(role=ROLE)] == ["GetPasswordPolicy"]
    assert answer["MaxPasswordAgeDays"] == 90


def test_the_reserve_outlasts_a_call_that_is_begun_at_the_last_moment() -> None:
    longest = connections.UNHURRIED + openapi.CONNECT_TIMEOUT + openapi.READ_TIMEOUT
    assert longest < surveying.RESERVE
    assert surveying.READING >= openapi.READ_TIMEOUT


def test_a_claim_that_is_stuck_behind_an_outage_is_not_called_healthy(cloud: LocalCloud) -> None:
    """Its tags are those of the last rotation: they say when that was, and the answer that they are all there is."""
    surveys = Surveys(cloud)
    surveys.add_user("alice")
    surveys.invoke({"UserName": "alice"})
    surveys.later(3600)
    lose(surveys)
    assert [problem for problem, _ in surveys.problems()] == ["stuck-claim"]
    cloud.faults.arm(Fault("ListSecretVersionIds", "error", count=ALWAYS, status=503, code="ServiceUnavailable"))
    answer = surveys.show(UserName="alice")
    assert (answer["Healthy"], answer["Complete"], answer["LookedAt"]) == (False, False, 0)
    assert answer["Standings"][0]["Versions"] is None
    assert "not looked at: secret-store-unavailable" in surveys.browse()["body"]

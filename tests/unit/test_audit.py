"""The audit line: one JSON line per outcome, with exactly the fields that are allowed."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared import audit, fanout, scan_audit
from shared.batch import Course, Done, Failed, Result
from shared.errors import (
    DispatchUnavailable,
    MalformedEvent,
    NotPublished,
    ResetOutcomeUnknown,
    RotationInProgress,
    RotatorError,
    SettingsError,
    UserNotFound,
)
from shared.model import (
    AlreadyRotated,
    Exempt,
    Exemption,
    Origin,
    Outcome,
    Password,
    Reason,
    RequestId,
    ResetRequest,
    Rotated,
    SecretName,
    SecretValue,
    UserId,
    UserName,
    UserRef,
    VersionId,
    WouldRotate,
)
from shared.scan import Due, Fate
from tests.fakes import DIRECTORY, NOON, user

ALICE = user("alice")
SECRET, R3 = SecretName("cloudsso/alice"), VersionId("r3")
ORIGIN = Origin(trigger="queue", event_id="m-1", source="acs:mns", rule="leak")
REQUEST = ResetRequest(UserRef(name=UserName("Alice")), NOON, Reason.ALERT, origins=(ORIGIN, ORIGIN))

ASKED = {"Invocation", "User", "Reason", "Since", "Trigger", "EventId", "EventSource", "Rule", "Merged"}
TIMED = {"TookMs", "WaitedMs"}
TOLD = {"Reason", "Since", "EventId", "EventSource"}  # of what was asked, in the answer
ANSWERED = {"Outcome", "UserName", "UserId", "DirectoryId"}
STORED = {"SecretName", "VersionId"}
ROTATION = {"Attempt", "MismatchMs", "Indexed", "CloudSsoRequestId", "KmsRequestId", "MustChange"}
FAILURE = {"Outcome", "Error", "Retryable", "Message"}

ROTATED = Rotated(
    user=ALICE,
    secret=SECRET,
    version=R3,
    attempt=2,
    reset_request_id=RequestId("sso-1"),
    publish_request_id=RequestId("kms-1"),
    mismatch=timedelta(milliseconds=37, microseconds=400),
    indexed=True,
)
OUTCOMES: dict[str, tuple[Outcome, set[str]]] = {
    "rotated": (ROTATED, ANSWERED | STORED | ROTATION),
    "already-rotated": (AlreadyRotated(ALICE, SECRET, R3, NOON), ANSWERED | STORED | {"RotatedAt"}),
    "would-rotate": (WouldRotate(ALICE, SECRET, R3, 1), ANSWERED | STORED | {"Attempt"}),
    "protected": (Exempt(ALICE, Exemption.PROTECTED), ANSWERED),
    "disabled": (Exempt(ALICE, Exemption.DISABLED), ANSWERED),
    "synchronized": (Exempt(ALICE, Exemption.SYNCHRONIZED), ANSWERED),
}
OUTCOME = pytest.mark.parametrize("name", OUTCOMES)
OUTSIDE = 'line one\nline two\r\x1b[31mred\u2028\u2029\x85\x00\x7f"}\n{"Outcome": "rotated"'


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """Return the audit's logger, and put it back afterwards as it was."""
    log = logging.getLogger("cloudsso_rotator")
    before = (log.handlers, log.propagate, log.level)
    yield log
    log.handlers, log.propagate = before[0], before[1]
    log.setLevel(before[2])


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Capture what is logged from INFO up."""
    audit.configure("INFO")
    return capsys


def only_line(output: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the facts of the one line that was written, and to standard output alone."""
    out, err = output.readouterr()
    assert err == ""
    assert out.endswith("\n")
    (line,) = out[:-1].split("\n")
    assert line.isascii()
    assert line.isprintable()
    facts: dict[str, Any] = json.loads(line)
    return facts


# ------------------------------------------------------------------------------------------------------- the fields


@OUTCOME
def test_an_outcomes_line_has_exactly_the_allowed_fields(output: pytest.CaptureFixture[str], name: str) -> None:
    outcome, fields = OUTCOMES[name]
    audit.result("inv-1", Done(REQUEST, outcome))
    facts = only_line(output)
    assert facts.keys() == ASKED | fields | TIMED
    assert (facts["Invocation"], facts["Outcome"], facts["Merged"]) == ("inv-1", name, 2)


@OUTCOME
def test_an_outcomes_answer_has_exactly_the_allowed_fields(name: str) -> None:
    outcome, fields = OUTCOMES[name]
    facts = audit.answer(Done(REQUEST, outcome))
    assert facts.keys() == fields | TOLD
    assert json.loads(json.dumps(facts)) == facts


def test_a_rotations_line_says_everything_an_auditor_asks(output: pytest.CaptureFixture[str]) -> None:
    course = Course(timedelta(seconds=1.2344), timedelta(seconds=0.25), ALICE, SECRET, R3, RequestId("sso-1"))
    audit.result("inv-1", Done(REQUEST, ROTATED, course))
    assert only_line(output) == {
        "Invocation": "inv-1",
        "User": "Alice",
        "Reason": "alert",
        "Since": "2026-03-01T12:00:00Z",
        "Trigger": "queue",
        "EventId": "m-1",
        "EventSource": "acs:mns",
        "Rule": "leak",
        "Merged": 2,
        "Outcome": "rotated",
        "UserName": "alice",
        "UserId": "u-alice",
        "DirectoryId": "d-fake",
        "SecretName": "cloudsso/alice",
        "VersionId": "r3",
        "Attempt": 2,
        "MismatchMs": 37,
        "Indexed": True,
        "CloudSsoRequestId": "sso-1",
        "KmsRequestId": "kms-1",
        "MustChange": False,
        "TookMs": 1234,
        "WaitedMs": 250,
    }


def test_a_time_is_written_with_its_fraction_and_a_z() -> None:
    moment: datetime = NOON + timedelta(microseconds=40)
    done = Done(REQUEST, AlreadyRotated(ALICE, SECRET, R3, moment))
    assert audit.answer(done)["RotatedAt"] == "2026-03-01T12:00:00.000040Z"


def test_what_an_origin_does_not_know_is_left_out(output: pytest.CaptureFixture[str]) -> None:
    audit.result("inv-1", Done(replace(REQUEST, origins=(Origin(trigger="direct"),)), ROTATED))
    assert only_line(output).keys() == ASKED - {"EventId", "EventSource", "Rule"} | OUTCOMES["rotated"][1] | TIMED


def test_the_answer_tells_enough_to_tell_the_user() -> None:
    answer = audit.answer(Done(replace(REQUEST, must_change=True), ROTATED))
    assert {name: answer[name] for name in ("UserName", "SecretName", "MustChange", *sorted(TOLD))} == {
        "UserName": "alice",
        "SecretName": "cloudsso/alice",
        "MustChange": True,
        "Reason": "alert",
        "Since": "2026-03-01T12:00:00Z",
        "EventId": "m-1",
        "EventSource": "acs:mns",
    }


def test_an_answer_leaves_out_what_is_not_known_of_the_event() -> None:
    direct = Done(replace(REQUEST, origins=(Origin(trigger="direct"),)), ROTATED)
    for done in (direct, Done(replace(REQUEST, origins=()), ROTATED)):
        assert audit.answer(done).keys() == OUTCOMES["rotated"][1] | {"Reason", "Since"}


def test_a_request_from_nowhere_has_a_line_all_the_same(output: pytest.CaptureFixture[str]) -> None:
    audit.result("inv-1", Done(replace(REQUEST, origins=()), ROTATED))
    facts = only_line(output)
    assert facts.keys() == ASKED - {"Trigger", "EventId", "EventSource", "Rule"} | OUTCOMES["rotated"][1] | TIMED
    assert facts["Merged"] == 0


@pytest.mark.parametrize("error", [UserNotFound("No alice."), ResetOutcomeUnknown("Lost.")], ids=lambda e: e.reason)
def test_a_failures_line_has_exactly_the_allowed_fields(
    output: pytest.CaptureFixture[str], error: RotatorError
) -> None:
    audit.result("inv-1", Failed(REQUEST, error))
    facts = only_line(output)
    assert facts.keys() == ASKED | FAILURE | TIMED
    assert {name: facts[name] for name in FAILURE} == {
        "Outcome": "failed",
        "Error": error.reason,
        "Retryable": error.retryable,
        "Message": str(error),
    }


def test_a_failure_that_knows_when_to_come_back_says_so_in_whole_seconds_never_too_few(
    output: pytest.CaptureFixture[str],
) -> None:
    audit.result("inv-1", Failed(REQUEST, RotationInProgress("Busy.", retry_after=timedelta(seconds=41.2))))
    facts = only_line(output)
    assert facts.keys() == ASKED | FAILURE | TIMED | {"RetryAfterSeconds"}
    assert facts["RetryAfterSeconds"] == 42


def test_a_failures_line_says_as_much_of_the_rotation_as_was_known_when_it_failed(
    output: pytest.CaptureFixture[str],
) -> None:
    course = Course(timedelta(seconds=50), timedelta(seconds=3), ALICE, SECRET, R3, RequestId("sso-1"))
    audit.result("inv-1", Failed(REQUEST, NotPublished("Not published."), course))
    facts = only_line(output)
    assert facts.keys() == ASKED | FAILURE | TIMED | STORED | {"UserName", "UserId", "DirectoryId", "CloudSsoRequestId"}
    assert (facts["SecretName"], facts["VersionId"], facts["CloudSsoRequestId"]) == ("cloudsso/alice", "r3", "sso-1")
    assert (facts["TookMs"], facts["WaitedMs"]) == (50_000, 3000)


def test_a_problems_line_has_exactly_the_allowed_fields(output: pytest.CaptureFixture[str]) -> None:
    audit.problem("inv-1", MalformedEvent("In the event: no."))
    facts = only_line(output)
    assert facts.keys() == {"Invocation"} | FAILURE
    assert (facts["Error"], facts["Retryable"]) == ("malformed-event", False)


def test_an_ignored_parts_line_has_exactly_the_allowed_fields(output: pytest.CaptureFixture[str]) -> None:
    audit.ignored("inv-1", "message 2, data", "own-reset", replace(ORIGIN, rule="own-reset"))
    assert only_line(output) == {
        "Invocation": "inv-1",
        "Outcome": "ignored",
        "Where": "message 2, data",
        "Rule": "own-reset",
        "Trigger": "queue",
        "EventId": "m-1",
        "EventSource": "acs:mns",
    }


# -------------------------------------------------------------------------------------------------------- one line


def everything(text: str) -> list[Result | MalformedEvent]:
    """Return a result of every kind with a text from outside everywhere where one could be."""
    origin = Origin(trigger=text, event_id=text, source=text, rule=text)
    request = replace(REQUEST, user=UserRef(name=UserName(text or "x")), origins=(origin,))
    whose = replace(ALICE, name=UserName(text))
    rotated = replace(ROTATED, user=whose, secret=SecretName(text), reset_request_id=RequestId(text))
    return [
        Done(request, rotated),
        Done(request, Exempt(whose, Exemption.PROTECTED)),
        Failed(request, UserNotFound(text)),
        MalformedEvent(text),
    ]


def write(text: str) -> list[str]:
    """Write a line of every kind; return what the stream got, cut at newlines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    audit._LOG.handlers = [handler]
    for one in everything(text):
        if isinstance(one, MalformedEvent):
            audit.problem(text, one)
        else:
            audit.result(text, one)
    audit.ignored(text, text, text, Origin(trigger=text))
    return stream.getvalue()[:-1].split("\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.just(OUTSIDE))
def test_no_text_from_outside_breaks_a_line_or_adds_a_field(text: str) -> None:
    audit.configure("INFO")
    lines = write(text)
    assert len(lines) == 5
    assert all(line.isascii() and line.isprintable() for line in lines)
    outcomes = [json.loads(line, object_pairs_hook=unique)["Outcome"] for line in lines]
    assert outcomes == ["rotated", "protected", "failed", "failed", "ignored"]


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


DUE = Due(UserId("u-alice"), UserName("alice"), NOON, NOON - timedelta(days=90), (NOON, "u-alice"))
DISPATCH = {"Invocation", "UserName", "UserId", "DirectoryId", "TaskId", "Since", "RotatedAt"}


def test_a_dispatch_is_logged_with_whom_it_is_about_since_when_and_under_which_task(
    output: pytest.CaptureFixture[str],
) -> None:
    scan_audit.dispatch("inv-1", DIRECTORY, fanout.Result(DUE, Fate.DISPATCHED))
    assert only_line(output) == {
        "Invocation": "inv-1",
        "UserName": "alice",
        "UserId": "u-alice",
        "DirectoryId": DIRECTORY,
        "TaskId": "expiring-u-alice-20260301T120000Z",
        "Since": "2026-03-01T12:00:00Z",
        "RotatedAt": "2025-12-01T12:00:00Z",
        "Outcome": "dispatched",
    }


def test_a_dispatch_that_failed_is_logged_with_why_and_at_any_level(capsys: pytest.CaptureFixture[str]) -> None:
    audit.configure("ERROR")
    scan_audit.dispatch("inv-1", DIRECTORY, fanout.Result(DUE, Fate.FAILED, DispatchUnavailable("Throttled.")))
    facts = only_line(capsys)
    assert facts.keys() == DISPATCH | FAILURE
    assert (facts["Outcome"], facts["Error"], facts["Retryable"]) == ("failed", "dispatch-unavailable", True)


def test_a_dispatch_that_was_deferred_has_no_line_of_its_own(output: pytest.CaptureFixture[str]) -> None:
    scan_audit.dispatch("inv-1", DIRECTORY, fanout.Result(DUE, Fate.DEFERRED))
    assert output.readouterr().out == ""


def test_users_who_share_a_fate_share_a_line(output: pytest.CaptureFixture[str]) -> None:
    scan_audit.named("inv-1", Fate.UNMANAGED, [UserName("alice"), UserName("bob")])
    assert only_line(output) == {"Invocation": "inv-1", "Outcome": "unmanaged", "UserNames": ["alice", "bob"]}


def test_a_scan_is_logged_in_numbers(output: pytest.CaptureFixture[str]) -> None:
    scan_audit.scanned("inv-1", "timer", {"Users": 3, "Due": 1})
    assert only_line(output) == {"Invocation": "inv-1", "Outcome": "scanned", "Trigger": "timer", "Users": 3, "Due": 1}


def test_a_percent_sign_is_no_format(output: pytest.CaptureFixture[str]) -> None:
    audit.problem("%s %d", MalformedEvent("100%s of %(it)s"))
    facts = only_line(output)
    assert facts["Invocation"] == "%s %d"
    assert facts["Message"].startswith("100%s of %(it)s")


def test_a_text_without_end_is_cut(output: pytest.CaptureFixture[str]) -> None:
    audit.problem("inv-1", MalformedEvent("x" * 100_000))
    assert len(only_line(output)["Message"]) == audit.LONGEST + 1


@pytest.mark.parametrize("sealed", [Password("Marker-1234!"), SecretValue("Marker-1234!")], ids=["password", "value"])
def test_what_is_sealed_has_no_way_into_a_line(output: pytest.CaptureFixture[str], sealed: Password) -> None:
    audit.result("inv-1", Failed(REQUEST, UserNotFound(f"{sealed} {sealed!r}")))
    with pytest.raises(TypeError, match=r"SecretName of type .* is not for audit lines"):
        audit.result("inv-1", Done(REQUEST, replace(ROTATED, secret=sealed)))
    out, err = output.readouterr()
    assert "Marker" not in out + err


@pytest.mark.parametrize("facts", [{"Password": "x"}, {"outcome": "rotated"}, {"Attempt": "1"}, {"Merged": True}])
def test_what_the_table_does_not_list_cannot_be_written(
    output: pytest.CaptureFixture[str], facts: dict[str, object]
) -> None:
    with pytest.raises(TypeError, match="is not for audit lines"):
        audit.write(logging.ERROR, "inv-1", facts)
    assert output.readouterr().out == ""


def test_what_is_not_known_is_left_out(output: pytest.CaptureFixture[str]) -> None:
    scan_audit.dispatch("inv-1", DIRECTORY, fanout.Result(replace(DUE, rotated_at=None), Fate.DISPATCHED))
    assert "RotatedAt" not in only_line(output)


# ------------------------------------------------------------------------------------------------------ initializers


def refuse() -> str:
    audit.configure("ERROR")
    raise SettingsError("CLOUDSSO_DIRECTORY_ID is not set.")


def test_an_initializer_that_fails_of_the_settings_says_so(output: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        audit.started("inv-1", refuse)
    facts = only_line(output)
    assert facts.keys() == {"Invocation"} | FAILURE
    assert (facts["Invocation"], facts["Error"]) == ("inv-1", "settings")
    assert facts["Message"] == str(raised.value)


def test_an_initializer_that_succeeds_says_nothing(output: pytest.CaptureFixture[str]) -> None:
    assert audit.started("inv-1", lambda: "ready") == "ready"
    assert output.readouterr().out == ""


# ---------------------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("DEBUG", ["rotated", "ignored", "failed", "failed"]),
        ("INFO", ["rotated", "ignored", "failed", "failed"]),
        ("WARNING", ["failed", "failed"]),
        ("ERROR", ["failed", "failed"]),
    ],
)
def test_failures_are_errors_and_all_else_is_information(
    capsys: pytest.CaptureFixture[str], level: str, seen: list[str]
) -> None:
    audit.configure(level)
    audit.result("inv-1", Done(REQUEST, ROTATED))
    audit.ignored("inv-1", "the event", "ping", ORIGIN)
    audit.result("inv-1", Failed(REQUEST, UserNotFound("No.")))
    audit.problem("inv-1", MalformedEvent("No."))
    out, _ = capsys.readouterr()
    assert [json.loads(line)["Outcome"] for line in out.splitlines()] == seen


def test_configuring_twice_writes_a_line_once_and_lets_the_last_level_win(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    for level in ("DEBUG", "ERROR", "INFO"):
        audit.configure(level)
    assert len(logger.handlers) == 1
    audit.result("inv-1", Done(REQUEST, ROTATED))
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_runtimes_own_handler_does_not_get_the_line_as_well(output: pytest.CaptureFixture[str]) -> None:
    runtimes, stream = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(stream)
    runtimes.addHandler(handler)
    try:
        audit.result("inv-1", Done(REQUEST, ROTATED))
    finally:
        runtimes.removeHandler(handler)
    assert stream.getvalue() == ""
    assert only_line(output)["Outcome"] == "rotated"

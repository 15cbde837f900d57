"""What an event asks of the scan; events/ has the vectors, and events/README.md what they give."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import scan_request
from shared.errors import EventError, MalformedEvent, PasswordInEvent
from shared.scan_request import ScanRequest

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "events").glob("scan-*"))
RECEIVED = datetime(2026, 2, 1, 12, 34, 56, tzinfo=timezone.utc)
HOUR = datetime(2026, 2, 1, 12, tzinfo=timezone.utc)

_ROW = re.compile(r"\| \[(?P<file>scan-[\w.-]+)\]\([\w.-]+\) \| .* \| (?P<gives>.*) \|")


def parse(event: object, received: datetime = RECEIVED) -> ScanRequest | EventError:
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    return scan_request.parse(data, received=received)


def refusal(event: object) -> str:
    parsed = parse(event)
    assert isinstance(parsed, MalformedEvent)
    return parsed.happened


def timer(payload: object = "", time: str = "2026-02-01T02:00:00Z") -> dict[str, object]:
    return {"triggerTime": time, "triggerName": "daily", "payload": payload}


def gives(parsed: ScanRequest | EventError) -> str:
    if isinstance(parsed, EventError):
        return f"`{parsed.reason}`: {parsed.happened}"
    as_of = "its receipt's hour" if parsed.as_of == HOUR else parsed.as_of.isoformat().replace("+00:00", "Z")
    return f"{parsed.trigger}, as of {as_of}{', dry run' if parsed.dry_run else ''}"


def expectations() -> dict[str, str]:
    lines = (ROOT / "events/README.md").read_text(encoding="utf-8").splitlines()
    return {match["file"]: match["gives"] for line in lines if (match := _ROW.fullmatch(line))}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_gives_what_its_row_in_the_readme_says(sample: Path) -> None:
    assert gives(parse(sample.read_bytes())) == expectations()[sample.name]


def test_the_readme_has_a_row_for_every_sample_and_for_nothing_else() -> None:
    assert len(SAMPLES) >= 6
    assert sorted(expectations()) == [sample.name for sample in SAMPLES]


@pytest.mark.parametrize("event", [b"", b" \n", b"{}", b'{"DryRun": false}'])
def test_an_event_that_says_nothing_asks_for_a_scan_of_this_hour(event: bytes) -> None:
    assert parse(event) == ScanRequest(HOUR)


@pytest.mark.parametrize("payload", ["", "  ", "{}", '{"DryRun": false}'])
def test_a_timers_scan_is_of_the_timers_own_hour(payload: str) -> None:
    assert parse(timer(payload)) == ScanRequest(datetime(2026, 2, 1, 2, tzinfo=timezone.utc), trigger="timer")


def test_a_timers_event_delivered_again_asks_for_the_same_scan() -> None:
    again = RECEIVED + timedelta(hours=7)
    assert parse(timer()) == parse(timer(), again)


def test_a_timer_that_is_here_before_its_hour_by_our_clock_has_its_hour_all_the_same() -> None:
    early = datetime(2026, 2, 1, 1, 59, 58, tzinfo=timezone.utc)
    assert parse(timer(), early) == parse(timer())


@pytest.mark.parametrize(
    "time", ["2026-02-01T13:00:00Z", "2030-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "soon", ""]
)
def test_a_time_that_no_timer_can_have_counts_as_the_receipt(time: str) -> None:
    assert parse(timer(time=time)) == ScanRequest(HOUR, trigger="timer")


@pytest.mark.parametrize("event", [{"DryRun": True}, timer('{"DryRun": true}')])
def test_a_dry_run_is_one(event: object) -> None:
    parsed = parse(event)
    assert isinstance(parsed, ScanRequest)
    assert parsed.dry_run


@pytest.mark.parametrize("name", ["dryRun", "DryRum", "dry_run", "Dry-Run", "DRYRUN"])
def test_a_misspelt_dry_run_is_refused_with_the_right_spelling(name: str) -> None:
    assert refusal({name: True}) == f"In the event: field '{name}' is unknown (did you mean 'DryRun'?)."


def test_an_unknown_field_is_refused_by_name_wherever_it_is() -> None:
    assert "field 'UserName' is unknown (a scan has one field, 'DryRun')" in refusal({"UserName": "alice"})
    assert refusal(timer('{"Limit": 3}')).startswith("In payload: field 'Limit' is unknown")


@pytest.mark.parametrize("value", ["true", 1, None, [], {}])
def test_a_dry_run_that_is_neither_true_nor_false_is_refused(value: object) -> None:
    assert "must be true or false" in refusal({"DryRun": value})


@pytest.mark.parametrize("event", [[], [{}], "x", 1, None, b"{", b"\xff", b'{"DryRun": true, "DryRun": false}'])
def test_what_is_no_object_is_refused(event: object) -> None:
    assert refusal(event).startswith("In the event: ")


@pytest.mark.parametrize("payload", ["[]", "x", "{", 1, None, {}])
def test_a_timers_payload_that_is_no_object_in_a_text_is_refused(payload: object) -> None:
    assert refusal(timer(payload)).startswith("In payload: ")


@pytest.mark.parametrize(
    "event", [{"Password": "S3cret-Passw0rd!"}, timer('{"a": {"new_password": "S3cret-Passw0rd!"}}')]
)
def test_a_password_is_refused_and_not_shown(event: object) -> None:
    parsed = parse(event)
    assert isinstance(parsed, PasswordInEvent)
    assert "S3cret" not in str(parsed)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["DryRun", "payload", "triggerTime", "triggerName"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_bytes_are_they_give_a_scan_or_an_error_that_can_be_printed(event: bytes) -> None:
    parsed = scan_request.parse(event, received=RECEIVED)
    if isinstance(parsed, ScanRequest):
        assert parsed.as_of <= RECEIVED + scan_request.AHEAD
    else:
        assert str(parsed).isprintable()

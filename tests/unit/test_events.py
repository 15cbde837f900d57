"""Every trigger's bytes, and what they ask for; events/ has the vectors, and events/README.md what they give."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from shared import events
from shared.alerts import Rules
from shared.envelopes import DEAD_LETTERS
from shared.errors import MalformedEvent, PasswordInEvent, UnsupportedEvent
from shared.events import MOST_IN_EVENT, Parsed
from shared.model import DirectoryId, Origin, PasswordSource, Reason, ResetRequest, UserId, UserName, UserRef
from shared.reading import MOST_IN_MESSAGE

ROOT = Path(__file__).parents[2]
# The scan's own, scan-*, are held by test_scan_request.py.
FILES = [path for path in (ROOT / "events").iterdir() if path.suffix in {".json", ".txt"}]
SAMPLES = sorted(path for path in FILES if not path.name.startswith(("scan-", "status-")))
RULES = Rules.load((ROOT / "functions/reset_password/rules.json").read_bytes())
DIRECTORY = DirectoryId("d-00fc2p61loop")
RECEIVED = datetime(2026, 2, 1, 12, tzinfo=timezone.utc)
ALICE = {"UserName": "alice"}

_ROW = re.compile(r"\| \[(?P<file>[\w.-]+)\]\([\w.-]+\) \| .* \| (?P<trigger>.*) \| (?P<gives>.*) \|")


def parse(event: object, rules: Rules = RULES) -> Parsed:
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    return events.parse(data, received=RECEIVED, directory_id=DIRECTORY, rules=rules)


def only(event: object) -> ResetRequest:
    parsed = parse(event)
    assert not parsed.problems
    (request,) = parsed.requests
    return request


def refusals(event: object) -> list[str]:
    parsed = parse(event)
    assert not parsed.requests
    assert not parsed.ignored
    return [problem.happened for problem in parsed.problems]


def cloud_event(data: object, **attributes: str) -> dict[str, object]:
    return {"id": "1", "source": "acme", "specversion": "1.0", "type": "acme:Test", **attributes, "data": data}


def timer(payload: str) -> dict[str, str]:
    return {"triggerTime": "2026-01-15T08:00:00Z", "triggerName": "t", "payload": payload}


def dead_letter(payload: object, condition: object = "UnhandledInvocationError") -> dict[str, object]:
    context = {"requestId": "r", "functionArn": "acs:fc:::functions/f", "condition": condition}
    answer = {"responseContext": {"statusCode": 200}, "responsePayload": ""}
    return {"timestamp": 1768464000000, "requestContext": context, "requestPayload": json.dumps(payload), **answer}


def queue(body: str) -> dict[str, str]:
    return {"requestId": "r", "messageId": "m", "messageBody": body}


# ---------------------------------------------------------------------------------------------- the samples


def as_text(moment: datetime) -> str:
    return "its receipt" if moment == RECEIVED else moment.isoformat().replace("+00:00", "Z")


def as_row(request: ResetRequest) -> str:
    details = [
        f"`{request.user}` since {as_text(request.since)}",
        request.reason.value,
        f"password by {request.source.value}" if request.source else "",
        "must change" if request.must_change else "",
        "dry run" if request.dry_run else "",
        "forced" if request.force else "",
        f"rule `{request.origins[0].rule}`" if request.origins[0].rule else "",
        f"{len(request.origins)} in one" if len(request.origins) > 1 else "",
    ]
    return ", ".join(detail for detail in details if detail)


def gives(parsed: Parsed) -> str:
    rows = [as_row(request) for request in parsed.requests]
    rows += [f"ignored by rule `{ignored.rule}`" for ignored in parsed.ignored]
    rows += [f"`{problem.reason}`: {problem.happened}" for problem in parsed.problems]
    return "<br>".join(rows)


def trigger(parsed: Parsed) -> str:
    origins = [origin for request in parsed.requests for origin in request.origins]
    origins += [ignored.origin for ignored in parsed.ignored]
    return ", ".join(sorted({origin.trigger for origin in origins})) or "-"


def expectations() -> dict[str, tuple[str, str]]:
    lines = (ROOT / "events/README.md").read_text(encoding="utf-8").splitlines()
    rows = (match for line in lines if (match := _ROW.fullmatch(line)))
    return {row["file"]: (row["trigger"], row["gives"]) for row in rows}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_gives_what_its_row_in_the_readme_says(sample: Path) -> None:
    parsed = parse(sample.read_bytes())
    assert (trigger(parsed), gives(parsed)) == expectations()[sample.name]


def test_the_readme_has_a_row_for_every_sample_and_for_nothing_else() -> None:
    assert sorted(expectations()) == [sample.name for sample in SAMPLES]


def test_every_shipped_rule_is_shown_by_a_sample() -> None:
    shown = {origin.rule for sample in SAMPLES for r in parse(sample.read_bytes()).requests for origin in r.origins}
    shown |= {ignored.rule for sample in SAMPLES for ignored in parse(sample.read_bytes()).ignored}
    written = json.loads((ROOT / "functions/reset_password/rules.json").read_bytes())["Rules"]
    assert {rule["Name"] for rule in written} == shown - {None}


# ---------------------------------------------------------------------------------------------- since


def test_since_is_what_the_request_says_then_the_events_time_then_its_receipt() -> None:
    stated = {**ALICE, "RotatedSince": "2026-01-02T03:04:05.5+01:00"}
    said = datetime(2026, 1, 2, 2, 4, 5, 500_000, tzinfo=timezone.utc)
    assert only(timer(json.dumps(stated))).since == said
    assert only(timer(json.dumps(ALICE))).since == datetime(2026, 1, 15, 8, tzinfo=timezone.utc)
    assert only(ALICE).since == RECEIVED


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_a_senders_clock_that_is_a_little_ahead_asks_for_now(ahead: int) -> None:
    stated = (RECEIVED + timedelta(seconds=ahead)).isoformat()
    assert only({**ALICE, "RotatedSince": stated}).since == RECEIVED


def test_a_request_for_the_future_is_refused() -> None:
    stated = (RECEIVED + timedelta(seconds=5, microseconds=1)).isoformat()
    assert "future" in refusals({**ALICE, "RotatedSince": stated})[0]


def test_an_envelope_from_the_future_asks_for_now() -> None:
    assert only(cloud_event(ALICE, time="2099-01-01T00:00:00Z")).since == RECEIVED


@pytest.mark.parametrize("time", ["yesterday", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", ""])
def test_an_envelope_with_an_unreadable_time_asks_for_now(time: str) -> None:
    assert only(cloud_event(ALICE, time=time)).since == RECEIVED


@pytest.mark.parametrize(
    "text", ["2026-01-02", "2026-01-02T03:04:05", "1768464000", "2026-13-01T00:00:00Z", "2026-01-02T03:04:05+0100"]
)
def test_rotated_since_is_rfc_3339_with_an_offset_or_refused(text: str) -> None:
    assert "RFC 3339" in refusals({**ALICE, "RotatedSince": text})[0]


def test_the_shipped_rules_can_be_applied_to_anything_ordinary() -> None:
    for event in ({"a": 1}, cloud_event({"a": 1}), cloud_event({"userIdentity": {"type": "assumed-role"}})):
        assert "could not be applied" not in refusals(event)[0]


def test_the_innermost_envelope_knows_best_when_it_happened() -> None:
    inner = cloud_event(ALICE, time="2026-01-03T00:00:00Z")
    outer = cloud_event(queue(json.dumps(inner)), time="2026-01-04T00:00:00Z")
    assert only(outer).since == datetime(2026, 1, 3, tzinfo=timezone.utc)


# ---------------------------------------------------------------------------------------------- requests


def test_a_request_says_all_it_can_say() -> None:
    fields = {
        "UserId": "u-1",
        "DirectoryId": DIRECTORY,
        "Reason": "expiring",
        "GenerateRandomPassword": True,
        "RequirePasswordResetForNextLogin": False,
        "DryRun": True,
        "Force": True,
    }
    assert only(fields) == ResetRequest(
        user=UserRef(id=UserId("u-1")),
        since=RECEIVED,
        reason=Reason.EXPIRING,
        source=PasswordSource.CLOUDSSO,
        must_change=False,
        dry_run=True,
        force=True,
        directory_id=DIRECTORY,
        origins=(Origin(trigger="direct"),),
    )


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "ä", "alice\n", "a/b", "*", None, 7, ["alice"]])
def test_a_user_name_that_cloudsso_would_not_allow_is_refused(name: object) -> None:
    (refusal,) = refusals({"UserName": name})
    assert refusal.startswith("In the event: field 'UserName' must be 1 to 64 letters")


@pytest.mark.parametrize("field", ["DryRun", "Force", "GenerateRandomPassword", "RequirePasswordResetForNextLogin"])
@pytest.mark.parametrize("value", ["true", 1, 0, None, []])
def test_only_true_and_false_are_flags(field: str, value: object) -> None:
    assert f"field '{field}' must be true or false" in refusals({**ALICE, field: value})[0]


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("Resaon", "Reason"), ("dryRun", "DryRun"), ("dry_run", "DryRun"), ("user-id", "UserId"), ("Since", None)],
)
def test_a_typo_is_refused_and_the_nearest_field_suggested(typo: str, meant: str | None) -> None:
    (refusal,) = refusals({**ALICE, typo: True})
    assert f"field '{typo}' is unknown" in refusal
    assert (f"did you mean '{meant}'?" if meant else "the fields are") in refusal


@pytest.mark.parametrize("event", [{"user_name": "alice"}, {"UsrName": "alice"}, {"userid": "u-1", "reason": "alert"}])
def test_a_misspelt_user_field_is_a_misspelt_request_and_not_an_unknown_alert(event: object) -> None:
    assert "did you mean 'User" in refusals(event)[0]


def test_a_metric_alarm_with_a_user_id_of_its_own_is_not_taken_for_a_misspelt_request() -> None:
    alarm = {"ruleId": "1", "ruleName": "cpu", "userId": "151266687691", "metricName": "CPU", "namespace": "acs_ecs"}
    assert isinstance(parse(alarm).problems[0], UnsupportedEvent)


def test_an_endless_field_name_is_shown_in_part_and_compared_to_nothing() -> None:
    (refusal,) = refusals({**ALICE, "DryRun" * 10_000: True})
    assert "the fields are UserName, UserId" in refusal
    assert len(refusal) < 500


def test_a_misspelt_request_never_falls_through_to_the_rules() -> None:
    greedy = Rules.load(b'{"Rules": [{"Name": "all", "When": "@", "UserName": "UserName"}]}')
    assert parse({**ALICE, "DrRun": True}, greedy).requests == ()


def test_another_directory_is_refused_by_a_clear_error() -> None:
    (refusal,) = refusals({**ALICE, "DirectoryId": "d-other"})
    assert (
        refusal
        == "In the event: field 'DirectoryId' is not 'd-00fc2p61loop', the only directory that this function serves."
    )


def test_no_more_than_eight_complaints_about_one_request() -> None:
    assert len(refusals({**ALICE, **{f"x{i}": 1 for i in range(100)}})) == 8


def test_a_batch_stands_alone_and_is_a_list() -> None:
    assert "stands alone" in refusals({"Requests": [ALICE], "DryRun": True})[0]
    assert "must be a list" in refusals({"Requests": ALICE})[0]
    assert refusals({"Requests": []}) == ["In Requests: the list is empty and asks for nothing."]
    assert "expected an object or a list, and found a number" in refusals({"Requests": [1]})[0]


def test_the_places_of_a_batchs_items_are_named() -> None:
    event = cloud_event(queue(json.dumps({"Requests": [ALICE, {"UserName": "bob", "Resaon": "alert"}]})))
    parsed = parse([cloud_event(ALICE), event])
    assert [str(r.user) for r in parsed.requests] == ["alice"]
    assert parsed.requests[0].origins[1].trigger == "queue"
    assert parsed.problems[0].happened.startswith("In message 2, data.messageBody, Requests[1]: field 'Resaon'")


# ---------------------------------------------------------------------------------------------- envelopes


@pytest.mark.parametrize("wrap", [cloud_event, lambda r: cloud_event(json.dumps(r)), lambda r: timer(json.dumps(r))])
def test_data_may_be_json_or_text_that_is_json(wrap: Callable[[object], object]) -> None:
    assert only(wrap(ALICE)).user == UserRef(name=UserName("alice"))


def test_a_message_that_asks_for_too_much_is_one_problem_and_hides_no_other() -> None:
    flood = queue(json.dumps([0] * (MOST_IN_MESSAGE + 1)))
    parsed = parse([queue(json.dumps(ALICE)), flood, queue(json.dumps({"UserName": "bob"}))])
    assert [str(request.user) for request in parsed.requests] == ["alice", "bob"]
    (problem,) = parsed.problems
    assert problem.happened == "In message 2: it asks for more than 1,000 things at once."
    assert len(parse([queue(json.dumps([0] * MOST_IN_MESSAGE))]).problems) == MOST_IN_MESSAGE


def test_an_event_that_asks_for_too_much_is_one_problem() -> None:
    crowd = [{"UserName": f"user{number}"} for number in range(MOST_IN_EVENT + 1)]
    assert refusals(crowd) == ["In the event: it asks for more than 10,000 things at once."]
    assert refusals({"Requests": crowd}) == ["In the event: it asks for more than 10,000 things at once."]
    assert len(parse(crowd[1:]).requests) == MOST_IN_EVENT


def test_a_long_list_is_looked_through_without_noting_every_place_in_it() -> None:
    event = json.dumps(cloud_event({**ALERT_DATA, "n": [0] * 100_000}, type="security:Alert:Leak")).encode()
    tracemalloc.start()
    assert len(parse(event).requests) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * len(event)


def test_text_may_be_encoded_in_base64_or_twice_in_json() -> None:
    encoded = base64.b64encode(json.dumps(ALICE).encode()).decode()
    assert only(queue(encoded)) == only(queue(json.dumps(ALICE))) == only(queue(json.dumps(json.dumps(ALICE))))
    assert only(encoded.encode()).user == only(ALICE).user


def test_base64_may_be_wrapped_in_lines_but_not_be_damaged() -> None:
    wrapped = base64.encodebytes(
        json.dumps({**ALICE, "Reason": "alert", "DryRun": False, "Force": False}).encode()
    ).decode()
    assert "\n" in wrapped.strip()
    assert only(queue(wrapped)).reason is Reason.ALERT
    assert "not JSON" in refusals(queue(wrapped.replace("V", "!V!")))[0]


def test_layers_of_any_kind_are_bounded() -> None:
    assert only([[[ALICE]]]).user == UserRef(name=UserName("alice"))
    assert "40 layers, around this" in refusals(b"[" * 41 + json.dumps(ALICE).encode() + b"]" * 41)[0]
    event = queue(json.dumps(ALICE))
    for _ in range(21):
        event = queue(in_base64(event))
    assert "40 layers, around this" in refusals(event)[0]


def test_an_empty_event_says_so() -> None:
    assert refusals(b"") == refusals(b" \n") == ["In the event: not JSON: it is empty."]


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, [ALICE]])
def test_what_an_envelope_carries_must_be_text(value: object) -> None:
    assert "field 'messageBody' must be text" in refusals({**queue(""), "messageBody": value})[0]


def test_an_envelope_that_misses_a_documented_key_is_none() -> None:
    stripped = {key: value for key, value in timer(json.dumps(ALICE)).items() if key != "triggerName"}
    assert isinstance(parse(stripped).problems[0], UnsupportedEvent)


def test_an_http_event_is_marked_so_even_when_it_is_refused() -> None:
    sample = json.loads((ROOT / "events/http.json").read_bytes())
    assert parse(sample).http
    assert parse({**sample, "body": "nonsense"}).http
    assert not parse(ALICE).http
    assert not parse([sample]).http


@pytest.mark.parametrize("depth", range(1, DEAD_LETTERS + 1))
def test_dead_letters_are_opened_five_deep_and_keep_their_name(depth: int) -> None:
    event: object = timer(json.dumps(ALICE))
    for _ in range(depth):
        event = [cloud_event(queue(json.dumps(dead_letter(event))))]
    request = only(event)
    assert request.origins[0].trigger == "dead-letter"
    assert request.since == datetime(2026, 1, 15, 8, tzinfo=timezone.utc)


def http(body: str) -> dict[str, object]:
    sample: dict[str, object] = json.loads((ROOT / "events/http.json").read_bytes())
    return {**sample, "body": body}


@pytest.mark.parametrize("forged", [http(json.dumps(ALICE)), timer(json.dumps(ALICE))], ids=["http", "timer"])
@pytest.mark.parametrize(
    "around",
    [
        lambda event: queue(json.dumps(event)),
        lambda event: cloud_event(queue(json.dumps([event]))),
        lambda event: cloud_event(event, type="security:Alert:Leak"),
        lambda event: http(json.dumps(event)),
        lambda event: dead_letter(cloud_event(queue(json.dumps(event)))),
    ],
    ids=["queue", "list in a queue", "event bus", "http", "dead letter"],
)
def test_what_only_function_compute_sends_is_a_forgery_inside_another_event(
    around: Callable[[object], object], forged: object
) -> None:
    (refusal,) = refusals(around(forged))
    assert "but a sender put it into another event" in refusal


@pytest.mark.parametrize("failed", [http(json.dumps(ALICE)), timer(json.dumps(ALICE))], ids=["http", "timer"])
def test_what_failed_may_have_come_from_any_trigger(failed: object) -> None:
    for event in (dead_letter(failed), cloud_event(queue(json.dumps(dead_letter(failed))))):
        assert only(event).origins[0].trigger == "dead-letter"


def test_the_sixth_dead_letter_is_a_problem() -> None:
    event: object = ALICE
    for _ in range(DEAD_LETTERS + 1):
        event = dead_letter(event)
    assert "more than 5 dead letters" in refusals(event)[0]


@pytest.mark.parametrize("condition", ["", None, 3])
def test_a_dead_letter_without_a_failure_is_never_carried_out(condition: object) -> None:
    assert "requestContext.condition" in refusals(dead_letter(ALICE, condition))[0]


def test_an_id_that_could_forge_a_log_line_is_dropped() -> None:
    assert only(cloud_event(ALICE, id="1\n2026 all is well")).origins[0].event_id is None
    assert only(cloud_event(ALICE, source="s" * 257)).origins[0].source is None


# ---------------------------------------------------------------------------------------------- CloudEvents and rules


def test_a_complete_request_in_an_alert_is_carried_out_as_it_says() -> None:
    alert = cloud_event({"UserId": "u-1", "DryRun": True}, type="security:Alert:Leak")
    request = only(alert)
    assert (request.user, request.dry_run) == (UserRef(id=UserId("u-1")), True)
    assert (request.reason, request.origins[0].rule) == (Reason.ALERT, "security-alert")


ALERT_DATA = {"UserName": "alice", "Severity": "high"}


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"DirectoryId": "d-other"}, "field 'DirectoryId' is not 'd-00fc2p61loop'"),
        ({"DirectoryId": 7}, "field 'DirectoryId' must be text, and is a number"),
        ({"DryRun": "yes"}, "field 'DryRun' must be true or false, and is text"),
    ],
)
def test_an_alert_is_held_to_what_it_says_in_a_requests_words(said: dict[str, object], refused: str) -> None:
    (refusal,) = refusals(cloud_event({**ALERT_DATA, **said}, type="security:Alert:Leak"))
    assert refused in refusal


def test_an_alert_that_says_that_it_is_a_dry_run_is_one() -> None:
    assert only(cloud_event({**ALERT_DATA, "DryRun": True}, type="security:Alert:Leak")).dry_run
    log_alert = json.loads((ROOT / "events/sls-alert-function.json").read_bytes())
    assert only({**log_alert, "DryRun": True}).dry_run


def test_an_alerts_other_fields_are_its_own() -> None:
    said = {"DirectoryId": DIRECTORY, "DryRun": False, "Reason": "leaked", "Force": 3, "RotatedSince": "today"}
    request = only(cloud_event({**ALERT_DATA, **said}, type="security:Alert:Leak"))
    assert (request.dry_run, request.force, request.reason) == (False, False, Reason.ALERT)


def test_a_rule_that_ignores_an_event_is_obeyed_even_if_its_data_is_a_request() -> None:
    deaf = Rules.load(b'{"Rules": [{"Name": "deaf", "When": "@", "Ignore": true, "Why": "a test"}]}')
    parsed = parse(cloud_event(ALICE), deaf)
    assert (parsed.requests, parsed.problems) == ((), ())
    assert parsed.ignored[0].rule == "deaf"


def test_a_list_as_data_is_a_batch_and_one_bad_item_hides_no_other() -> None:
    parsed = parse(cloud_event([ALICE, {"UserName": "bob", "Password": "x"}]))
    assert [str(request.user) for request in parsed.requests] == ["alice"]
    assert "at data[1].Password" in parsed.problems[0].happened


def test_an_error_names_the_rules_that_could_not_be_applied() -> None:
    numeric_type = {"id": "1", "source": "s", "specversion": "1.0", "type": 7}
    (problem,) = parse(numeric_type).problems
    assert isinstance(problem, UnsupportedEvent)
    assert "Rules that could not be applied: " in problem.happened
    assert "'security-alert'" in problem.happened


def test_an_unsupported_event_is_described_without_control_characters_and_in_bounds() -> None:
    event = {f"key{i}\n\x1b[2J": 1 for i in range(500)} | {"type": "x\ny" * 1000, "eventName": "Reboot"}
    (problem,) = parse(event).problems
    assert problem.happened.isprintable()
    assert "eventName 'Reboot'" in problem.happened
    assert len(problem.happened) < 1000


# ---------------------------------------------------------------------------------------------- passwords


PASSWORD = "Corr3ct!Horse"


def in_json(value: object) -> str:
    return json.dumps(value)


def in_base64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def in_base64_of_urls(value: object) -> str:
    text = json.dumps({"\u00fe\u00ff~~~???": value}, ensure_ascii=False)
    encoded = base64.urlsafe_b64encode(text.encode()).decode()
    assert {"-", "_"} & set(encoded)
    return encoded.rstrip("=")


@pytest.mark.parametrize(
    "key",
    [
        *(
            "Password",
            "password",
            "NEW_PASSWORD",
            "old-password",
            "passwd",
            "PlainTextPassword",
            "user.Password",
            "pwd",
        ),
        *("\uff30\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "Pass\u200bword", "Pass\u00adword", "'Password':"),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda v: v, in_json, in_base64, in_base64_of_urls, lambda v: in_base64(in_json(in_base64([v])))]
)
def test_a_password_is_found_under_any_name_and_in_any_layer(key: str, wrap: Callable[[object], object]) -> None:
    (problem,) = parse({**ALICE, "note": wrap({"deep": [{key: PASSWORD}]})}).problems
    assert isinstance(problem, PasswordInEvent)
    assert "at note" in problem.happened
    assert PASSWORD not in str(problem)


@pytest.mark.parametrize(
    "event",
    [
        {**timer(json.dumps(ALICE)), "password": PASSWORD},
        {**dead_letter(ALICE), "responsePayload": json.dumps({"Password": PASSWORD})},
        cloud_event(ALICE, password=PASSWORD),
        {**json.loads((ROOT / "events/http.json").read_bytes()), "queryParameters": {"password": PASSWORD}},
        {"Requests": [ALICE], "Password": PASSWORD},
        cloud_event({"eventName": "ResetUserPassword", "responseElements": {"NewPassword": PASSWORD}}),
    ],
    ids=["timer", "dead letter", "CloudEvent", "query", "batch", "own reset, unmasked"],
)
def test_a_password_on_an_envelope_stops_what_is_inside(event: object) -> None:
    parsed = parse(event)
    assert parsed.requests == ()
    assert isinstance(parsed.problems[0], PasswordInEvent)
    assert all(PASSWORD not in str(problem) for problem in parsed.problems)


@pytest.mark.parametrize("mask", ["*", "******", "", None])
def test_a_masked_password_discloses_nothing(mask: str | None) -> None:
    record = {"eventName": "ResetUserPassword", "requestParameters": {"Password": mask}}
    assert parse(cloud_event(record)).ignored[0].rule == "own-reset"


def test_the_flags_about_passwords_are_no_passwords() -> None:
    assert only({**ALICE, "GenerateRandomPassword": True, "RequirePasswordResetForNextLogin": True}).must_change


# ---------------------------------------------------------------------------------------------- hostile bytes


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (b"\xff\xfe", "not UTF-8, at byte 1"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 100_000, "nested more than 64 levels deep"),
        (b"[" * 65 + b"]" * 65, "nested more than 64 levels deep"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "nested more than 64 levels deep"),
        (b'{"UserName": "alice", "x": NaN}', "a number is not finite"),
        (b'{"UserName": "alice", "x": -Infinity}', "a number is not finite"),
        (b'{"UserName": "alice", "x": 1e999}', "a number is not finite"),
        (b'{"x": ' + b"9" * 100_000 + b"}", "a number has more than 64 digits"),
        (b'{"UserName": "\\ud800"}', "a text has half of a surrogate pair"),
        (b'{"\\udfff": 1}', "a text has half of a surrogate pair"),
        (b'{"DryRun": true, "DryRun": false, "UserName": "alice"}', "the key 'DryRun' occurs twice"),
        (b'{"UserName": "alice"} {}', "Extra data"),
        (b"\x00", "Expecting value"),
    ],
)
def test_bytes_that_are_not_strict_json_are_malformed(event: bytes, why: str) -> None:
    (problem,) = parse(event).problems
    assert isinstance(problem, MalformedEvent)
    assert why in problem.happened


def test_a_problem_keeps_nothing_of_the_exception_that_led_to_it() -> None:
    for event in (
        b"\xffsecret",
        b'{"secret"',
        b'{"a": "secret", "a": 1}',
        dead_letter("secret"),
        cloud_event("secret"),
    ):
        for problem in parse(event).problems:
            assert (problem.__cause__, problem.__context__, problem.__traceback__) == (None, None, None)
            assert "secret" not in str(problem)


# ---------------------------------------------------------------------------------------------- merging


def ask(name: str = "alice", minutes: int = 0, **fields: object) -> ResetRequest:
    base = ResetRequest(UserRef(name=UserName(name)), RECEIVED + timedelta(minutes=minutes), Reason.MANUAL)
    return ResetRequest(**{**msgspec.structs.asdict(base), **fields})


def test_requests_about_one_user_become_one_that_asks_for_all_of_it() -> None:
    first = ask(minutes=1, source=PasswordSource.STAGED, must_change=False, origins=(Origin("timer"),))
    second = ask("ALICE", minutes=2, reason=Reason.ALERT, force=True, origins=(Origin("queue"),))
    third = ask(reason=Reason.EXPIRING, must_change=True, source=PasswordSource.CLOUDSSO, origins=(Origin("http"),))
    (merged,) = events.merge([first, second, third])
    assert merged == ask(
        minutes=2,
        reason=Reason.ALERT,
        source=PasswordSource.STAGED,
        must_change=True,
        force=True,
        origins=(Origin("timer"), Origin("queue"), Origin("http")),
    )


@pytest.mark.parametrize(
    ("said", "asked"),
    [((None, None), None), ((None, False), False), ((False, True), True), ((True, None), True)],
)
def test_what_nobody_says_of_the_next_logon_stays_unsaid(said: tuple[bool | None, ...], *, asked: bool | None) -> None:
    (merged,) = events.merge([ask(must_change=one) for one in said])
    assert merged.must_change is asked


def test_the_directory_that_any_of_the_merged_requests_names_is_kept() -> None:
    (merged,) = events.merge([ask(), ask(directory_id=DIRECTORY), ask()])
    assert merged.directory_id == DIRECTORY


def test_users_keep_the_order_in_which_they_first_appeared() -> None:
    assert [str(r.user) for r in events.merge([ask("bob"), ask("alice"), ask("bob")])] == ["bob", "alice"]


def test_a_dry_run_neither_prevents_a_rotation_nor_becomes_one() -> None:
    merged = events.merge([ask(dry_run=True), ask(), ask(dry_run=True)])
    assert [request.dry_run for request in merged] == [True, False]


def test_nothing_merges_to_nothing() -> None:
    assert events.merge([]) == ()


def test_an_http_method_that_is_none_is_not_echoed() -> None:
    event = json.loads((ROOT / "events" / "http.json").read_bytes())
    event["requestContext"]["http"]["method"] = {"Password": "Marker-1234!"}
    told = [str(problem) for problem in parse(event).problems]
    assert told
    assert not any("Marker" in text for text in told)

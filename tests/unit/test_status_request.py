"""What an event asks of rotation_status, in all its forms; and that what it cannot mean is refused by name."""

from __future__ import annotations

import base64
import cProfile
import json
import pstats
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import status_request
from shared.errors import EventError, MalformedEvent, PasswordInEvent, UnsupportedEvent
from shared.status import State
from shared.status_request import LONGEST_SEARCH, MOST_PAGES, MOST_SHOWN, PER_PAGE, ROWS, StatusRequest

Event = dict[str, Any]
CALLS_PER_FIELD = 20  # of functions: of one that is not looked into, none but the parser's and the search's


def parse(event: object) -> StatusRequest | EventError:
    return status_request.parse(event if isinstance(event, bytes) else json.dumps(event).encode())


def asked(event: object) -> StatusRequest:
    parsed = parse(event)
    assert isinstance(parsed, StatusRequest), parsed
    return parsed


def refusal(event: object, kind: type[EventError] = MalformedEvent) -> str:
    parsed = parse(event)
    assert type(parsed) is kind, parsed
    assert str(parsed).isprintable()
    return parsed.happened


def timer(payload: object) -> Event:
    return {"triggerTime": "2026-02-01T02:00:00Z", "triggerName": "hourly", "payload": payload}


def http(method: object = "GET", path: object = "/", query: object = None, **more: object) -> Event:
    """Return what Function Compute hands an HTTP trigger's function."""
    return {
        "version": "v1",
        "rawPath": path,
        "headers": {"Accept": "text/html"},
        "queryParameters": {} if query is None else query,
        "isBase64Encoded": False,
        "body": "",
        "requestContext": {"http": {"method": method, "path": path}},
        **more,
    }


def page(**query: object) -> StatusRequest:
    return asked(http(query=query))


# ------------------------------------------------------------------------------------------------------- as an object


@pytest.mark.parametrize("event", [b"", b" \n\t", b"{}"])
def test_an_event_that_says_nothing_asks_for_everybody_as_json_and_read_now(event: bytes) -> None:
    found = asked(event)
    assert found == StatusRequest()
    assert (found.doctor, found.user_name, found.state, found.search, found.page) == (False, None, None, "", 1)
    assert (found.html, found.fresh, found.trigger, found.per_page) == (False, True, "direct", PER_PAGE)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"Doctor": True}, StatusRequest(doctor=True)),
        ({"Doctor": False}, StatusRequest()),
        ({"UserName": "alice"}, StatusRequest(user_name="alice")),
        ({"State": "in-progress"}, StatusRequest(state=State.IN_PROGRESS)),
        ({"Search": "ali"}, StatusRequest(search="ali")),
        ({"Page": 7}, StatusRequest(page=7)),
        (
            {"Doctor": False, "UserName": "ünïcödé", "State": "due", "Search": "ü", "Page": MOST_PAGES},
            StatusRequest(user_name="ünïcödé", state=State.DUE, search="ü", page=MOST_PAGES),
        ),
        ({"Doctor": True, "UserName": "ünïcödé"}, StatusRequest(doctor=True, user_name="ünïcödé")),
    ],
)
def test_every_field_is_read(event: Event, found: StatusRequest) -> None:
    assert asked(event) == found
    assert asked(base64.b64encode(json.dumps(event).encode())) == found


@pytest.mark.parametrize("part", [{"State": "due"}, {"Search": "ali"}, {"Page": 2}])
def test_the_doctor_is_not_asked_about_a_part(part: dict[str, object]) -> None:
    assert refusal({"Doctor": True, **part}).endswith(
        f"the doctor looks at everybody: {next(iter(part))!r} goes without it."
    )
    assert "the doctor looks at everybody" in refusal(http(query={"view": "doctor", "page": "2"}))


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_asked_for(state: State) -> None:
    assert asked({"State": state.value}).state is state
    assert page(state=state.value).state is state


@pytest.mark.parametrize("field", ["UserName", "Search"])
def test_a_name_has_as_many_characters_as_cloudsso_allows(field: str) -> None:
    assert isinstance(parse({field: LONGEST_SEARCH * "x"}), StatusRequest)
    for wrong in ("", (LONGEST_SEARCH + 1) * "x", 1, None, True, ["x"], {"x": "x"}):
        assert refusal({field: wrong}) == f"In the event: field '{field}' must be text of 1 to 64 characters."


@pytest.mark.parametrize("wrong", [0, -1, MOST_PAGES + 1, 1.0, "1", True, False, None, [1], {}])
def test_a_page_is_a_whole_number_from_one(wrong: object) -> None:
    assert refusal({"Page": wrong}) == "In the event: field 'Page' must be a whole number from 1 to 1000000."


@pytest.mark.parametrize(
    ("wrong", "found"),
    [("true", "text"), (1, "a number"), (0, "a number"), (None, "null"), ([], "a list"), ({}, "an object")],
)
def test_whether_the_doctor_is_meant_is_true_or_false(wrong: object, found: str) -> None:
    assert refusal({"Doctor": wrong}) == f"In the event: field 'Doctor' must be true or false, and is {found}."


@pytest.mark.parametrize("wrong", ["Stuck", "STUCK", "stuck ", "", 1, None, True, ["stuck"], {"stuck": 1}])
def test_a_state_is_one_of_those_there_are_and_all_of_them_are_named(wrong: object) -> None:
    message = refusal({"State": wrong})
    assert message.startswith("In the event: field 'State' must be one of expired, stuck, foreign, ")
    assert all(state.value in message for state in State)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("doctor", "Doctor"),
        ("Docter", "Doctor"),
        ("state", "State"),
        ("States", "State"),
        ("username", "UserName"),
        ("User", "UserName"),
        ("page", "Page"),
        ("serach", "Search"),
    ],
)
def test_a_misspelt_field_is_refused_with_the_right_spelling(name: str, meant: str) -> None:
    assert refusal({name: "x"}) == f"In the event: field '{name}' is unknown (did you mean '{meant}'?)."


@pytest.mark.parametrize("name", ["Limit", "", "x" * 10_000, "'\n\x00", "trigger", "html", "fresh"])
def test_a_field_like_none_is_refused_with_all_there_are(name: str) -> None:
    assert refusal({name: "x"}).endswith("is unknown (known are Doctor, UserName, State, Search, Page).")


def test_everything_that_is_wrong_is_told_at_once_up_to_what_anybody_reads() -> None:
    assert refusal({"Doctor": 1, "Page": 0, "Limit": 1}).count("; ") == 2
    assert refusal({f"Limit{number}": 1 for number in range(100)}).count("; ") == MOST_SHOWN - 1


@pytest.mark.parametrize("event", [[], [{}], "x", 1, None, True])
def test_what_is_no_object_is_refused(event: object) -> None:
    assert refusal(event).startswith("In the event: expected an object, and found ")


@pytest.mark.parametrize("event", [b"{", b"\xff", b'{"Page": 1, "Page": 2}', b"x", b"NaN", b"[" * 100])
def test_what_is_no_json_is_refused(event: bytes) -> None:
    assert refusal(event).startswith("In the event: not JSON: ")


def test_what_is_refused_names_what_may_be_asked_for_and_says_that_nothing_was_read() -> None:
    parsed = parse({"Limit": 3})
    assert isinstance(parsed, MalformedEvent)
    assert (parsed.unchanged, parsed.cure) == ("Nothing was read.", "docs/reference.md has what may be asked for.")


@pytest.mark.parametrize(
    "event",
    [
        {"Password": "S3cret-Passw0rd!"},
        timer('{"a": {"new_password": "S3cret-Passw0rd!"}}'),
        http(query={"password": "S3cret-Passw0rd!"}),
        http("POST", body='{"UserName": "alice", "Password": "S3cret-Passw0rd!"}'),
    ],
)
def test_a_password_is_refused_and_not_shown(event: object) -> None:
    parsed = parse(event)
    assert isinstance(parsed, PasswordInEvent)
    assert "S3cret" not in str(parsed)


# ---------------------------------------------------------------------------------------------------------- by a timer


@pytest.mark.parametrize("payload", ["", " \n", "{}"])
def test_a_timer_that_carries_nothing_asks_for_everybody(payload: str) -> None:
    assert asked(timer(payload)) == StatusRequest(trigger="timer")


def test_a_timer_carries_what_could_be_asked_directly() -> None:
    carried = '{"Doctor": true, "UserName": "alice"}'
    assert asked(timer(carried)) == StatusRequest(doctor=True, user_name="alice", trigger="timer")
    assert asked(timer(base64.b64encode(carried.encode()).decode())).doctor
    assert asked({**timer(carried), "another": "key"}).doctor


@pytest.mark.parametrize("payload", [None, 1, True, {}, {"Doctor": True}, []])
def test_a_timers_payload_is_text(payload: object) -> None:
    assert refusal(timer(payload)).startswith("In payload: expected text, and found ")


@pytest.mark.parametrize(
    ("payload", "why"), [("x", "not JSON"), ("[]", "expected an object"), ('{"doctor": 1}', "'Doctor'?")]
)
def test_what_is_wrong_with_a_timers_payload_is_told_of_the_payload(payload: str, why: str) -> None:
    message = refusal(timer(payload))
    assert message.startswith("In payload: ")
    assert why in message


# ------------------------------------------------------------------------------------------------------- by a browser


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "", None])
def test_a_browser_gets_a_page_of_what_was_read_a_moment_ago(method: str, path: object) -> None:
    found = asked(http(method, path))
    assert found == StatusRequest(html=True, fresh=False, trigger="http")
    assert found.per_page == ROWS


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"view": "doctor"}, {"doctor": True}),
        ({"view": "status"}, {}),
        ({"format": "json"}, {"html": False, "fresh": True}),
        ({"format": "html"}, {}),
        ({"fresh": "1"}, {"fresh": True}),
        ({"fresh": "0"}, {"fresh": True}),  # it is asked for by its name, as a link does
        ({"state": "due"}, {"state": State.DUE}),
        ({"q": "ali"}, {"search": "ali"}),
        ({"page": "12"}, {"page": 12}),
        ({"page": "0000012"}, {"page": 12}),
        ({"page": 12}, {"page": 12}),
        ({"state": "", "q": "", "page": "", "view": "", "format": "", "fresh": ""}, {}),  # as an empty form is sent
    ],
)
def test_a_query_is_read(query: Event, found: Event) -> None:
    assert page(**query) == StatusRequest(**{"html": True, "fresh": False, "trigger": "http", **found})


@pytest.mark.parametrize("query", [None, [], "", 0])
def test_a_request_without_a_query_is_one_for_the_page(query: object) -> None:
    event = http()
    event["queryParameters"] = query
    assert asked(event) == page()
    del event["queryParameters"]
    assert asked(event) == page()


@pytest.mark.parametrize("query", [["x"], "x", 1, True])
def test_a_query_that_is_none_is_refused(query: object) -> None:
    assert refusal(http(query=query)).startswith("In queryParameters: expected an object, and found ")


@pytest.mark.parametrize(
    "query",
    [{"view": "all"}, {"view": ["doctor"]}, {"format": "xml"}, {"format": {}}, {"view": None}, {"format": None}],
)
def test_a_view_or_a_form_that_there_is_not_is_refused_with_those_there_are(query: Event) -> None:
    assert "view must be status or doctor, and format html or json" in refusal(http(query=query))


@pytest.mark.parametrize(
    "wrong", ["0", "-1", "1.0", "x", "1e3", " 1", "٣", "²", "00000001", "1000001", "9" * 5000, None, []]
)
def test_a_page_in_a_query_is_a_whole_number_from_one(wrong: object) -> None:
    assert refusal(http(query={"page": wrong})) == (
        "In queryParameters: field 'page' must be a whole number from 1 to 1000000."
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("State", "state"), ("pages", "page"), ("veiw", "view"), ("Format", "format"), ("refresh", "fresh")],
)
def test_a_misspelt_parameter_is_refused_with_the_right_spelling(name: str, meant: str) -> None:
    assert refusal(http(query={name: "x"})) == (
        f"In queryParameters: field '{name}' is unknown (did you mean '{meant}'?)."
    )


@pytest.mark.parametrize("name", ["UserName", "Search", "search", "utm_source"])
def test_a_parameter_like_none_is_refused_with_all_there_are(name: str) -> None:
    assert refusal(http(query={name: "x"})).endswith("is unknown (known are view, format, fresh, state, q, page).")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "", None, {}, ["GET"]])
def test_nothing_is_sent_to_a_page_that_can_only_be_looked_at(method: object) -> None:
    assert "neither GET nor HEAD" in refusal(http(method), UnsupportedEvent)


def test_who_wants_something_done_is_told_where() -> None:
    for event in (http("POST"), http(body='{"UserName": "alice"}')):
        parsed = parse(event)
        assert isinstance(parsed, UnsupportedEvent)
        assert "reset_password" in parsed.cure
        assert "rules.json" not in str(parsed)


@pytest.mark.parametrize("path", ["/favicon.ico", "//", "/status", "/'\n<script>", 1, {}, []])
def test_there_is_one_page(path: object) -> None:
    assert refusal(http(path=path), UnsupportedEvent).startswith("There is no page '")


def test_an_http_request_is_told_from_all_else_so_that_errors_are_shown_as_pages() -> None:
    for event in (http(), http("POST"), http(path="/x"), http(query={"page": "x"})):
        assert status_request.is_http(json.dumps(event).encode())
    for other in ({}, {"Doctor": True}, timer("{}"), timer(json.dumps(http())), [http()], None, {"body": http()}):
        assert not status_request.is_http(json.dumps(other).encode())
    for garbage in (b"", b" ", b"\xff", b"{"):
        assert not status_request.is_http(garbage)


# ------------------------------------------------------------------------------------------------------- properties

WORDS = [
    *status_request._FIELDS,
    *("view", "format", "fresh", "state", "q", "page"),
    *("doctor", "json", "html", "due", "GET", "HEAD", "/", "1"),
    *http(),
    *timer(""),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = (
    VALUES
    | st.dictionaries(st.sampled_from(list(status_request._FIELDS)), VALUES)
    | st.builds(timer, VALUES | VALUES.map(json.dumps))
    | st.builds(http, st.sampled_from(["GET", "HEAD"]) | VALUES, st.just("/") | VALUES, VALUES)
    | st.builds(lambda query: http(query=query), st.dictionaries(st.sampled_from(WORDS[5:11]), VALUES, max_size=4))
)


def check(event: bytes) -> None:
    parsed = status_request.parse(event)
    if isinstance(parsed, StatusRequest):
        assert 1 <= parsed.page <= MOST_PAGES
        assert len(parsed.search) <= LONGEST_SEARCH
        assert parsed.user_name is None or 1 <= len(parsed.user_name) <= LONGEST_SEARCH
        assert parsed.state is None or isinstance(parsed.state, State)
        assert isinstance(parsed.doctor, bool)
        assert parsed.trigger in ("direct", "timer", "http")
        assert (parsed.trigger == "http") >= parsed.html
        assert parsed.fresh or parsed.html
    else:
        assert str(parsed).isprintable()
    assert isinstance(status_request.is_http(event), bool)


@given(st.binary())
def test_whatever_the_bytes_are_they_are_a_request_or_an_error_that_can_be_printed(event: bytes) -> None:
    check(event)


@given(DOCUMENTS)
def test_whatever_the_json_is_it_is_a_request_or_an_error_that_can_be_printed(document: object) -> None:
    check(json.dumps(document).encode())


@given(DOCUMENTS)
def test_what_is_not_asked_for_is_never_read(document: object) -> None:
    parsed = parse(document)
    if isinstance(parsed, StatusRequest) and parsed.trigger == "direct":
        assert isinstance(document, dict)
        assert document.keys() <= status_request._FIELDS.keys()


# ------------------------------------------------------------------------------------------------------------ work


def calls(count: int) -> int:
    """Return how many calls of functions it takes to refuse so many unknown fields."""
    event = json.dumps({f"Sattes{number}": number for number in range(count)}).encode()
    profile = cProfile.Profile()
    profile.enable()
    status_request.parse(event)
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # pstats's own attribute, not typed


def test_what_is_near_is_searched_for_no_more_often_than_it_is_told() -> None:
    assert (calls(3000) - calls(2000)) / 1000 < CALLS_PER_FIELD

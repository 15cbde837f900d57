"""Attacks on the function that shows the state, and by what it shows: on whoever reads it, and types what it says."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from shared.audit import LONGEST
from shared.errors import RotatorError
from shared.rotation import LEASE
from tests.installation import PREFIX, STATUS, Installation
from tests.localcloud.server import LocalCloud
from tests.loopback import clients
from tests.loopback.test_http_triggers import official, sent
from tests.wire.leaks import assert_absent
from tests.wire.surveys import ROLE, Surveys, http_event
from tests.wire.test_threats_names import BREAKS, LINE
from tests.wire.test_threats_role import FOREIGN, PAYROLL, READS, WRITES, reset, status, statuses
from tests.wire.threats import FIRST, Attacked, threat

DAY = 86_400
MARKER = "Marker-Passw0rd!x9"


class Looked:
    """The function that shows the state, of a directory with a user alice; and an eye on all that comes of an event."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.surveys = Surveys(cloud)
        self.surveys.add_user("alice", FIRST)
        self.lines: list[str] = []

    def asks(self, event: object) -> tuple[str, dict[str, Any]]:
        """Let an event in; return how it ended by the last line of the log, and what was answered."""
        output, answer = io.StringIO(), dict[str, Any]()
        self.surveys.restart()
        self.cloud.calls.clear()
        raw, context = json.dumps(event).encode(), self.surveys.status_context
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), contextlib.suppress(RotatorError):
            answer = json.loads(self.surveys.status.show(raw, context))
        lines = output.getvalue().split("\n")
        assert lines.pop() == ""
        assert all(line.isascii() and line.isprintable() for line in lines)  # by whatever they are split
        self.lines += lines
        told = [json.loads(line) for line in lines]
        ends = [line.get("Error", line["Outcome"]) for line in told if line["Outcome"] != "finding"]
        return str(ends[-1]), answer

    def calls(self) -> list[str]:
        """Return what was called since the last event came in."""
        return [call.action for call in self.cloud.calls.matching(role=ROLE)]


@pytest.fixture
def looked(cloud: LocalCloud) -> Looked:
    """Deploy the function, to be attacked."""
    return Looked(cloud)


# --------------------------------------------------------------------------------------------------- the wrong function


@threat(
    "A rotation of the wrong function",
    tried="a request for a rotation in an HTTP event, with POST or as the body of a GET, to `rotation_status`",
    ends="unsupported-event",
)
def test_a_rotation_is_not_asked_of_who_only_looks(looked: Looked, ends: str) -> None:
    body = json.dumps({"UserName": "alice", "RotatedSince": "2026-01-01T00:00:00Z"})
    for method, given in (("POST", body), ("PUT", body), ("DELETE", ""), ("GET", body)):
        ending, answer = looked.asks({**http_event(method), "body": given})
        assert (ending, answer["statusCode"]) == (ends, 400)
        assert looked.calls() == []
    assert looked.surveys.signs_in("alice", FIRST) == "ok"


@threat(
    "A rotation of the wrong function",
    tried="the same by fields: `Force`, `RotatedSince`, `Reason`, lists, alerts, dead letters, queue messages",
    ends="malformed-event",
)
def test_no_field_of_a_rotation_is_one_of_a_question(looked: Looked, ends: str) -> None:
    sample = looked.surveys.sample
    events: list[object] = [
        *({"UserName": "alice", field: "x"} for field in ("Force", "RotatedSince", "Reason")),
        [{"UserName": "alice"}],
        *(json.loads(sample(name)) for name in ("dead-letter.json", "queue-event.json", "security-alert.json")),
    ]
    for event in events:
        assert looked.asks(event)[0] == ends
        assert looked.calls() == []
    assert looked.surveys.signs_in("alice", FIRST) == "ok"


@threat(
    "A question to the wrong function",
    tried="what `rotation_status` is asked, with a user's name too, to `reset_password`",
    ends="malformed-event",
)
def test_a_question_for_the_state_rotates_nobody(attacked: Attacked, ends: str) -> None:
    questions: list[object] = [
        {"UserName": "alice", "Doctor": True},
        {"UserName": "alice", "State": "due"},
        {"UserName": "alice", "Page": 1},
        {**http_event(view="doctor"), "body": json.dumps({"UserName": "alice"})},
        http_event(q="alice"),
    ]
    for question in questions:
        assert attacked.ends(question) == ends


@threat(
    "Around the signature",
    tried="an HTTP event without any signature, by who may invoke `rotation_status`: it shows what JSON shows",
    ends="surveyed",
)
def test_a_forged_http_event_shows_no_more_than_a_plain_one(looked: Looked, ends: str) -> None:
    forged = {**http_event(format="json"), "headers": {"Authorization": "none", "x-fc-account-id": "1"}}
    ending, answer = looked.asks(forged)
    assert ending == ends
    _, plain = looked.asks({})
    assert {**json.loads(answer["body"]), "AsOf": ""} == {**plain, "AsOf": ""}


@threat(
    "Around the signature",
    tried="`s.yaml`'s HTTP trigger without one (`400`), with an old one, one for another query, another role's",
    ends="403",
)
def test_nobody_is_shown_a_page_without_a_signature_of_who_may_look(ends: str) -> None:
    with LocalCloud(skip_waiting=True) as cloud:
        installed = Installation(cloud)
        url = cloud.fc.url(STATUS.function, "page")
        (policy,) = installed.policies.values()
        may, may_not = cloud.role("viewer", policy), cloud.role("scanner", *installed.roles[f"{PREFIX}-scan-expiring"])
        now = cloud.clock.now()
        old = official("GET", f"{url}/", may, now - timedelta(hours=1))
        forged: list[tuple[str, dict[str, str]]] = [
            ("/", {}),
            ("/", {**official("GET", f"{url}/", may), "authorization": ""}),
            ("/", old),
            ("/?view=doctor", official("GET", f"{url}/?view=status", may)),
            ("/", official("GET", f"{url}/", may_not)),
        ]
        refused = [sent("GET", url + path, headers).status for path, headers in forged]
        assert refused == [400, 400, *3 * [int(ends)]]
        assert cloud.fc.logs(STATUS.function) == []  # it was not even asked
        assert sent("GET", f"{url}/", official("GET", f"{url}/", may)).status == 200


@threat(
    "Hidden password",
    tried="a `Password` in a question, in a parameter, in a header, in the body of an HTTP event",
    ends="password-in-event",
)
def test_a_password_in_a_question_is_found_and_never_said(looked: Looked, ends: str) -> None:
    hidden = json.dumps({"Password": MARKER})
    events: list[object] = [
        {"UserName": "alice", "Password": MARKER},
        {"UserName": hidden},
        http_event(password=MARKER),
        http_event(q=hidden),
        {**http_event(), "body": hidden},
        {**http_event(), "headers": {"x-any": hidden}},
    ]
    for event in events:
        ending, answer = looked.asks(event)
        assert ending == ends
        assert_absent({MARKER}, json.dumps(answer) + "\n".join(looked.lines), "what was said")


# -------------------------------------------------------------------------------------------------------- hostile names

# As bad as names could be if nobody checked them; CloudSSO and KMS do, but this program does not count on it.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><style>*{display:none}",
    "{{ 7*7 }}{% include '/etc/passwd' %}{{ self.__init__.__globals__ }}",
    "javascript:alert(1)",
    "a'; touch hacked; echo '",
    "$(touch hacked)`touch hacked`",
    "a\n touch hacked\n",
    "\\'; touch hacked #",
    "--SecretName=other",
    "-rf *",
    '","Force":true,"x":"',
    "\u202egnp.alice",
    "\u2028\u2029\x00\x1b]0;x\x07\x1b[2J",
    "\U0001f600 \ufffd\ufeff\u200b\u200d\u00ad\u3164",
    "a" * 20_000,
]


def people(looked: Looked, name: str) -> None:
    """Have users of this name in every state that the doctor speaks of, and secrets of this name without a user."""
    cloud, surveys = looked.cloud, looked.surveys
    ids = {part: cloud.cloudsso.add_user(f"{name}{part}000000") for part in ("new", "old", "odd", "gone", "far")}
    surveys.later(100 * DAY)
    moved = cloud.cloudsso.add_user(f"{name}moved")
    now = cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    whose = {"ManagedBy": "cloudsso-rotator", "DirectoryId": surveys.directory_id}

    def secret(part: str, tags: dict[str, str], versions: list[str]) -> None:
        prefix = f"cloudsso/{surveys.directory_id}/{name}{part}"
        cloud.kms.seed_secrets(1, prefix, tags=lambda _number: {**whose, **tags}, versions=versions)

    secret("old", {"UserId": ids["old"], "RotatedAt": "2020-01-01T00:00:00Z"}, ["r1"])
    secret("odd", {"UserId": ids["odd"], "RotatedAt": now, "Attempt1": f"r1-c1:{name}"}, ["r1-c1", "r1", name])
    secret("far", {"UserId": name, "RotatedAt": "9999-12-31T23:59:59Z"}, ["r1-c1"])
    secret("was", {"UserId": moved, "RotatedAt": now}, ["r1"])
    secret("nobodys", {"UserId": name, "RotatedAt": name}, ["r1"])
    surveys.later(LEASE.total_seconds() + 1)  # a younger secret may be a new user's


class Structure(HTMLParser):
    """The elements of a page and their attributes' names, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if (tag, attrs) == ("span", [("class", "w")]):
            return  # a word of a command: a name with blanks in it is several
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def structures(looked: Looked, name: str) -> list[Structure]:
    people(looked, name)
    events = [http_event(), http_event(view="doctor"), http_event(q=name[:64], state="expired"), http_event(path=name)]
    return [Structure(looked.asks(event)[1]["body"]) for event in events]


@threat(
    "Markup in a name",
    tried="users, secrets, versions, tags and parameters named with HTML, quotes, templates, links, on each page",
    ends="surveyed",
)
def test_no_name_adds_to_a_page(ends: str) -> None:
    with LocalCloud() as cloud:
        plain = structures(Looked(cloud), "harmless")
    allowed = {element for page in plain for element in page.elements}
    for name in HOSTILE:
        with LocalCloud() as cloud:
            looked = Looked(cloud)
            pages = structures(looked, name)
            assert [page.elements for page in pages] == [page.elements for page in plain]
            assert {element for page in pages for element in page.elements} <= allowed
            assert all(link.startswith(("?", "#", "/")) and "//" not in link for page in pages for link in page.links)
            assert looked.asks(http_event())[0] == ends


# A shell in which `s` and `aliyun` write down what they are given, an argument a line, and each call's end.
SHELL = """
s() {{ printf '%s\\0' s "$@" >>{told}; printf '\\n\\0' >>{told}; }}
aliyun() {{ printf '%s\\0' aliyun "$@" >>{told}; printf '\\n\\0' >>{told}; }}
{command}
"""
TOOLS = ("s reset_password invoke", "aliyun kms DeleteSecret", "aliyun kms RestoreSecret")


def typed(command: str, folder: Path) -> list[list[str]]:
    """Paste a command into a real shell, in an empty folder; return the programs called, with their arguments."""
    told, here = folder / "told", folder / "here"
    here.mkdir(parents=True)
    script = SHELL.format(told=told, command=command)
    ran = subprocess.run(["/bin/sh"], input=script, cwd=here, capture_output=True, text=True, check=True, timeout=60)
    assert (ran.stdout, ran.stderr, list(here.iterdir())) == ("", "", [])
    calls = told.read_bytes().decode().split("\n\0")
    assert calls.pop() == ""
    return [call.split("\0")[:-1] for call in calls]


@threat(
    "Commands in a name",
    tried="the doctor's commands for such users and secrets, pasted into a real shell",
    ends="surveyed",
)
def test_no_name_adds_to_a_command(ends: str, tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        with LocalCloud() as cloud:
            looked = Looked(cloud)
            people(looked, name)
            ending, answer = looked.asks({"Doctor": True})
            assert ending == ends
            commands = [line for each in answer["Findings"] for line in each["Mend"] if line.startswith(TOOLS)]
            assert len(commands) >= 5
            for turn, command in enumerate(commands):
                ((program, *arguments),) = typed(command, tmp_path / f"{number}-{turn}")
                if program == "s":
                    *said, event = arguments
                    assert said == ["reset_password", "invoke", "--event"]
                    asked = json.loads(event)
                    user = asked.pop("UserName")
                    assert user == "alice" or user.startswith(name)
                    assert asked.keys() <= {"Reason", "RotatedSince"}
                else:
                    service, action, *options = arguments
                    assert (service, action) == ("kms", "DeleteSecret")
                    assert options[::2] == ["--RegionId", "--SecretName", "--RecoveryWindowInDays"]
                    assert "".join(options).isprintable()
                    shown = "".join(c if c.isprintable() else "?" for c in name)
                    assert options[3].startswith(f"cloudsso/{looked.surveys.directory_id}/{shown}")


@threat(
    "Log injection",
    tried="such users, and names with line breaks of every kind and a forged audit line, to the doctor",
    ends="surveyed",
)
def test_no_name_in_the_directory_forges_a_line_of_the_log_of_a_look(ends: str) -> None:
    for name in [*HOSTILE, *(f"x{mark}{LINE}" for mark in BREAKS)]:
        with LocalCloud() as cloud:
            looked = Looked(cloud)
            people(looked, name)
            for event in ({"Doctor": True}, http_event(view="doctor"), {"Search": "x"}):
                assert looked.asks(event)[0] == ends
            assert not [line for line in looked.lines if line.startswith(LINE[:40])]
            assert all(len(line) < 4 * 6 * LONGEST for line in looked.lines)  # whatever is escaped
            users = {one["UserName"] for one in looked.asks({})[1]["Standings"]}
            assert f"{name}moved" in users


@threat(
    "Log injection",
    tried="the same in a question: fields, names, parameters and paths",
    ends="malformed-event",
)
def test_nothing_of_a_question_forges_a_line_of_the_log(looked: Looked, ends: str) -> None:
    for mark in BREAKS:
        forged = f"x{mark}{LINE}"
        for event in ({forged: 1}, {"UserName": forged}, {"State": forged}, {"Search": forged}):
            assert looked.asks(event)[0] == ends
        for event in (http_event(**{forged: "1"}), http_event(q=forged), http_event(view=forged)):
            ending, answer = looked.asks(event)
            assert (ending, answer["statusCode"]) == (ends, 400)
            assert '"Outcome": "rotated"' not in answer["body"]
    assert not [line for line in looked.lines if line.startswith(LINE[:40])]


# --------------------------------------------------------------------------------------------------------- hostile tags


@threat(
    "Somebody else's secret, tagged as one of ours",
    tried="tags on a secret outside the prefix: no user's, alice's, a user's who is gone",
    ends="surveyed",
)
def test_no_tag_has_an_operator_delete_what_is_not_ours(looked: Looked, ends: str) -> None:
    surveys = looked.surveys
    surveys.invoke({"UserName": "alice"})
    surveys.later(3600)
    ours = {"ManagedBy": "cloudsso-rotator", "DirectoryId": surveys.directory_id}
    for user_id in (None, surveys.user_ids["alice"], "u-00gone", "../x"):
        tags = ours if user_id is None else {**ours, "UserId": user_id}
        looked.cloud.kms.seed_secrets(1, PAYROLL, tags=lambda _number, tags=tags: tags)  # type: ignore[misc]
        surveys.later(LEASE.total_seconds() + 1)
        ending, answer = looked.asks({"Doctor": True})
        assert ending == ends
        (finding,) = answer["Findings"]
        assert (finding["Problem"], finding["Mend"]) == ("user-deleted", [])
        assert PAYROLL in finding["What"]
        assert answer["States"]["fresh"] == 1  # alice, as ever


@threat(
    "Times in tags",
    tried="`RotatedAt` in the years 1 and 9999, in no time zone, as a number, as text",
    ends="surveyed",
)
@pytest.mark.parametrize(
    "rotated", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00", "17", "soon"]
)
def test_no_time_in_a_tag_makes_a_password_look_fresh_or_ends_a_look(looked: Looked, ends: str, rotated: str) -> None:
    surveys = looked.surveys
    user_id = looked.cloud.cloudsso.add_user("mallory000000")
    surveys.later(100 * DAY)
    tags = {
        "ManagedBy": "cloudsso-rotator",
        "DirectoryId": surveys.directory_id,
        "UserId": user_id,
        "RotatedAt": rotated,
    }
    looked.cloud.kms.seed_secrets(1, f"cloudsso/{surveys.directory_id}/mallory", tags=lambda _number: tags)
    for event in (
        {"Search": "mallory"},
        {"Search": "mallory", "State": "fresh"},
        http_event(),
        http_event(view="doctor"),
    ):
        assert looked.asks(event)[0] == ends
    (mallory,) = surveys.show(UserName="mallory000000")["Standings"]
    assert mallory["State"] != "fresh"


# --------------------------------------------------------------------------------------------------- stolen credentials


@threat(
    "Stolen credentials of the function that looks",
    tried="reading, writing, making or deleting a secret, resetting a password",
    ends="403",
)
def test_the_looking_role_reads_no_secret_and_writes_nothing(looked: Looked, ends: str) -> None:
    cloud, surveys = looked.cloud, looked.surveys
    surveys.invoke({"UserName": "alice"})
    password = surveys.secret("alice")["Password"]
    stolen = cloud.role("stolen", surveys.status_policy())
    kms, sso = clients.kms(cloud, stolen), clients.cloudsso(cloud, stolen)
    assert statuses([*READS, *WRITES], kms, surveys.secret_name("alice")) == {ends}
    assert statuses(FOREIGN, kms, PAYROLL) == {ends}
    assert status(clients.create_secret, kms, surveys.secret_name("mallory")) == ends
    assert status(reset, sso, surveys.directory_id, surveys.user_ids["alice"]) == ends
    assert surveys.signs_in("alice", password) == "ok"

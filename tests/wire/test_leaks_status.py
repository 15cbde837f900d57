"""No credential leaves the function that shows the state, in whichever way it is asked and however it ends.

It knows no password: KMS never shows it one. Whatever the services say to it quotes a secret all the same.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from functions.rotation_status import index
from shared import audit, errors, surveying
from shared.errors import RotatorError
from tests.deployment import CloudClock, Context312
from tests.evidence.plugin import Evidence
from tests.localcloud.gateway.faults import KINDS, Fault
from tests.localcloud.server import LocalCloud
from tests.wire.endings import ALWAYS, ECHO, echoing
from tests.wire.findings import Findings, Mint
from tests.wire.heard import Eavesdropper, Heard
from tests.wire.leaks import assert_absent
from tests.wire.overheard import KEY_SECONDS, LEVELS, WRONG, BreakingClock, patience
from tests.wire.surveys import FUNCTION, FunctionFacts, Surveys, http_event
from tests.wire.wiretap import Wiretap

CALLS = ("GetPasswordPolicy", "GetExternalSAMLIdentityProvider", "ListUsers", "ListSecrets", "ListSecretVersionIds")
SENT = "In-an-event-1234!"  # somebody's password
OK, NOT_FOUND, WRONG_REQUEST = 200, 404, 400


@dataclass
class StatusContext312(Context312):
    """The context of the Python 3.12 runtime: the credentials are in the environment."""

    function: FunctionFacts = field(default_factory=FunctionFacts)  # type: ignore[assignment]


# What is asked, and how that ends: with the status of a page, with an answer (None), or with an error.
EVENTS: dict[str, tuple[object, int | type[RotatorError] | None]] = {
    "everybody": ({}, None),
    "nothing at all": (b"", None),
    "the doctor": ({"Doctor": True}, None),
    "one user": ({"UserName": "alice"}, None),
    "one state": ({"State": "unmanaged", "Search": "o", "Page": 2}, None),
    "the timer": (
        {"triggerTime": "2026-01-01T00:00:00Z", "triggerName": "hourly", "payload": '{"Doctor": true}'},
        None,
    ),
    "nobody's name": ({"UserName": "nobody"}, errors.UserNotFound),
    "malformed": ({"Nonsense": 1}, errors.MalformedEvent),
    "garbage": (b"\x00\xff{", errors.MalformedEvent),
    "a password": ({"NewPassword": SENT}, errors.PasswordInEvent),
    "a password in a timer's payload": (
        {"triggerTime": "2026-01-01T00:00:00Z", "triggerName": "hourly", "payload": json.dumps({"Password": SENT})},
        errors.PasswordInEvent,
    ),
    "the page": (http_event(), OK),
    "the page, read now": (http_event(fresh="1"), OK),
    "the page of the doctor": (http_event(view="doctor"), OK),
    "the page's JSON": (http_event(format="json"), OK),
    "the doctor's JSON": (http_event(view="doctor", format="json"), OK),
    "another page": (http_event(path="/admin"), WRONG_REQUEST),
    "another method": (http_event("POST"), WRONG_REQUEST),
    "an unknown parameter": (http_event(nonsense="1"), WRONG_REQUEST),
    "a password in a parameter": (http_event(password=SENT), WRONG_REQUEST),
    "a password in a body": ({**http_event(), "body": json.dumps({"Password": SENT})}, WRONG_REQUEST),
}


@dataclass(frozen=True)
class Refusal:
    """A call that is refused, and the gap that comes of it."""

    action: str
    status: int
    code: str
    gap: type[RotatorError]


REFUSALS = (
    Refusal("GetPasswordPolicy", 403, "NoPermission", errors.DirectoryDenied),
    Refusal("ListUsers", 404, "EntityNotExists.Directory", errors.SettingsError),
    Refusal("ListUsers", 403, "NoPermission", errors.DirectoryDenied),
    Refusal("ListUsers", 400, "Surprise.Of.The.Day", errors.DirectoryRefused),
    Refusal("ListSecrets", 403, "Forbidden.NoPermission", errors.SecretStoreDenied),
    Refusal("ListSecrets", 400, "Surprise.Of.The.Day", errors.SecretRefused),
    Refusal("ListSecretVersionIds", 403, "Forbidden.NoPermission", errors.SecretStoreDenied),
    Refusal("ListSecretVersionIds", 500, "InternalFailure", errors.SecretStoreUnavailable),
)


class OverheardStatus:
    """The function that shows the state, in both runtimes, on a cloud with users who are rotated and who are not."""

    def __init__(
        self, surveys: Surveys, eavesdropper: Eavesdropper, mint: Mint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.surveys, self.cloud = surveys, surveys.cloud
        self.findings = Findings(mint)
        for name in ("alice", "bob", "carol"):
            surveys.add_user(name)
        for name in ("alice", "bob"):
            surveys.invoke({"UserName": name})
        surveys.later(3600)
        self.apps = [surveys.status, self._app312(monkeypatch)]
        self._role = self.cloud.ram.find(surveys.status_context.credentials.access_key_id)
        self._eavesdropper = eavesdropper
        self.monkeypatch = monkeypatch
        self._turn = itertools.count()
        monkeypatch.setattr(index, "_instance", {})

    def hear(self, event: object, clock: CloudClock | None = None) -> Heard:
        """Ask, in each runtime and at each level by turns, with fresh credentials; and hear what is said."""
        turn = next(self._turn)
        app = self.apps[turn % 2]
        app = msgspec.structs.replace(app, kept=surveying.Kept())
        if clock is not None:  # whose readings are counted: one after the other
            settings = msgspec.structs.replace(app.settings, max_parallel=1)
            app = msgspec.structs.replace(app, clock=clock, settings=settings)
        index._instance["app"] = app
        audit.configure(LEVELS[turn // 2 % len(LEVELS)])
        context = self._context(turn % 2)
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        heard = self._eavesdropper.hear(lambda: index.handler(raw, context))
        self.findings.search(f"look {turn} for {event!r}", heard)
        self.cloud.faults.clear()
        self.cloud.release_late()
        return heard

    def start(self, name: str, value: str) -> Heard:
        """Start an instance of the Python 3.12 runtime with another value of a variable, and let it look."""
        context = self._context(1)
        with self.monkeypatch.context() as changed:
            changed.setenv(name, value)
            changed.setattr(index, "_instance", {})
            heard = self._eavesdropper.hear(lambda: index.handler(b"{}", context))
        return self.findings.search(name, heard)

    def _app312(self, monkeypatch: pytest.MonkeyPatch) -> surveying.App:
        for name, value in self.surveys.status_environ.items():
            monkeypatch.setenv(name, value)
        return surveying.start(FUNCTION, StatusContext312(), clock=CloudClock(self.cloud))

    def _context(self, runtime: int) -> Any:  # noqa: ANN401 - two runtimes, two kinds
        assert self._role is not None
        fresh = self.cloud.ram.issue(self._role.role, expires_in=KEY_SECONDS)
        self.findings.know(fresh)
        if runtime == 0:
            return replace(self.surveys.status_context, credentials=fresh)
        for name, value in self.surveys.credentials_environment(fresh).items():
            self.monkeypatch.setenv(name, value)
        return StatusContext312()


@pytest.fixture
def overheard(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[OverheardStatus]:
    """Deploy the function where everything is heard, and where KMS holds marked passwords."""
    tap, mint = Wiretap(), Mint()
    with LocalCloud(middleware=tap) as cloud:
        cloud.cloudsso.generate = mint.generated
        ears = Eavesdropper(capfd, tap, frozenset({cloud.admin.access_key_id}))
        yield OverheardStatus(Surveys(cloud), ears, mint, monkeypatch)


def answered(heard: Heard) -> dict[str, Any]:
    """Return what was answered, in either form."""
    answer: dict[str, Any] = json.loads(heard.said["answers"].partition("\n")[2])
    return answer


def ask_in_each_way(overheard: OverheardStatus) -> None:
    """Send every event in both runtimes, one after the other at each level."""
    for (name, (event, ends)), _ in itertools.product(EVENTS.items(), range(2)):
        heard = overheard.hear(event)
        if isinstance(ends, int):
            assert answered(heard)["statusCode"] == ends, name
        else:
            assert type(heard.error) is (ends or type(None)), f"{name} ended with {heard.error}"
        # The frames of an exception hold the event itself, which is its sender's; all else must not.
        told = [text for channel, text in heard.said.items() if channel != "exceptions"]
        assert_absent({SENT}, "\n".join([*told, str(heard.error), repr(heard.error)]), name)
        overheard.findings.count("A question, in both runtimes")


def refuse_each_call(overheard: OverheardStatus) -> None:
    for refusal, event in itertools.product(REFUSALS, ({"Doctor": True}, http_event())):
        fault = Fault(refusal.action, "error", status=refusal.status, code=refusal.code, message=ECHO, count=ALWAYS)
        overheard.cloud.faults.arm(fault)
        heard = overheard.hear(event)
        assert heard.error is None
        assert any(told in heard.said["answers"] for told in (refusal.gap.reason, "could not be read"))
        overheard.findings.count("A call that is refused for good")


def strike_each_call(overheard: OverheardStatus) -> None:
    events = itertools.cycle([{"Doctor": True}, http_event()])  # eleven kinds: each call is struck in both
    for (action, kind), event in zip(itertools.product(CALLS, KINDS), events, strict=False):
        armed = overheard.cloud.faults.arm(echoing(overheard.cloud, action, kind))
        with patience(overheard.monkeypatch, kind):
            assert overheard.hear(event).error is None
        assert armed.struck
        overheard.findings.count("A call that a fault strikes")


def break_at_every_step(overheard: OverheardStatus) -> None:
    """Let the clock break at its first reading, at its second, and so on until a look gets by without it."""
    heard = list(_broken(overheard, {}))
    assert sum(type(each.error) is errors.UnexpectedFailure for each in heard) >= 4
    pages = [answered(each)["statusCode"] for each in _broken(overheard, http_event())]
    assert sum(status == 500 for status in pages) >= 4
    overheard.findings.count("A bug at each reading of the clock")


def _broken(overheard: OverheardStatus, event: object) -> Iterator[Heard]:
    for nth in itertools.count(1):
        clock = BreakingClock(overheard.cloud, nth)
        yield overheard.hear(event, clock)
        if clock.left > 0:
            return


def start_in_wrong_environments(overheard: OverheardStatus) -> None:
    for name, value in WRONG.items():
        assert isinstance(overheard.start(name, value).error, errors.SettingsError)
        overheard.findings.count("An environment that does not make sense")


def test_no_secret_leaves_the_function_that_shows_the_state(overheard: OverheardStatus, evidence: Evidence) -> None:
    ask_in_each_way(overheard)
    refuse_each_call(overheard)
    strike_each_call(overheard)
    break_at_every_step(overheard)
    start_in_wrong_environments(overheard)
    findings = overheard.findings
    assert findings.leaks == []
    evidence.publish("leaks-status", findings.text(evidence))

"""No credential leaves the scan by any channel, however it ends; nor does what the services say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from functions.scan_expiring import index
from shared import audit, errors, scanning
from shared.errors import RotatorError
from tests.deployment import CloudClock, Context312
from tests.evidence.plugin import Evidence
from tests.localcloud.gateway.faults import KINDS, Fault
from tests.localcloud.server import ACCOUNT_ID, LocalCloud
from tests.wire.endings import ALWAYS, ECHO, echoing
from tests.wire.findings import Findings, Mint
from tests.wire.heard import Eavesdropper, Heard
from tests.wire.overheard import KEY_SECONDS, LEVELS, WRONG, BreakingClock, patience
from tests.wire.scanning import FunctionFacts, Scanning
from tests.wire.wiretap import Wiretap

CALLS = ("GetPasswordPolicy", "ListUsers", "ListSecrets", "InvokeFunction")


@dataclass
class ScanContext312(Context312):
    """The context of the Python 3.12 runtime: the credentials are in the environment."""

    account_id: str = ACCOUNT_ID
    function: FunctionFacts = field(default_factory=FunctionFacts)  # type: ignore[assignment]


@dataclass(frozen=True)
class Refusal:
    """A call that is refused, and what a scan ends with then."""

    action: str
    status: int
    code: str
    error: type[RotatorError]
    each: type[RotatorError] | None = None  # what each dispatch fails of, told in the error's text


REFUSALS = (
    Refusal("ListUsers", 404, "EntityNotExists.Directory", errors.SettingsError),
    Refusal("ListUsers", 403, "NoPermission", errors.DirectoryDenied),
    Refusal("ListUsers", 400, "Surprise.Of.The.Day", errors.DirectoryRefused),
    Refusal("ListSecrets", 403, "Forbidden.NoPermission", errors.SecretStoreDenied),
    Refusal("ListSecrets", 400, "Surprise.Of.The.Day", errors.SecretRefused),
    Refusal("InvokeFunction", 403, "AccessDenied", errors.DispatchesFailed, errors.DispatchDenied),
    Refusal("InvokeFunction", 404, "FunctionNotFound", errors.DispatchesFailed, errors.DispatchRefused),
    Refusal("InvokeFunction", 500, "InternalServerError", errors.DispatchesFailed, errors.DispatchUnavailable),
)
EVENTS: dict[str, tuple[object, type[RotatorError] | None]] = {
    "due users": ({}, None),
    "a dry run": ({"DryRun": True}, None),
    "malformed": ({"Nonsense": 1}, errors.MalformedEvent),
    "a password": ({"NewPassword": "In-an-event-1234!"}, errors.PasswordInEvent),
}


class OverheardScan:
    """The function that scans, in both runtimes, on a cloud with users who are due."""

    def __init__(self, scan: Scanning, eavesdropper: Eavesdropper, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scan = scan
        self.findings = Findings(Mint())
        self.apps = [scan.app, self._app312(monkeypatch)]
        self._role = scan.cloud.ram.find(scan.context.credentials.access_key_id)
        self._eavesdropper = eavesdropper
        self.monkeypatch = monkeypatch
        self._turn = itertools.count()
        monkeypatch.setattr(index, "_instance", {})
        scan.crowd(3, lambda _number: 80)

    def hear(self, event: object, clock: CloudClock | None = None) -> Heard:
        """Scan, in each runtime and at each level by turns, with fresh credentials; and hear what is said."""
        turn = next(self._turn)
        app = self.apps[turn % 2]
        index._instance["app"] = app if clock is None else msgspec.structs.replace(app, clock=clock)
        audit.configure(LEVELS[turn // 2 % len(LEVELS)])
        context = self._context(turn % 2)
        heard = self._eavesdropper.hear(lambda: index.handler(json.dumps(event).encode(), context))
        self.findings.search(f"scan {turn} of {event!r}", heard)
        self.scan.cloud.faults.clear()
        self.scan.cloud.release_late()
        self.scan.rotator.accepted.clear()  # the next scan's tasks are new ones
        return heard

    def start(self, name: str, value: str) -> Heard:
        """Start an instance of the Python 3.12 runtime with another value of a variable, and let it scan."""
        context = self._context(1)
        with self.monkeypatch.context() as changed:
            changed.setenv(name, value)
            changed.setattr(index, "_instance", {})
            heard = self._eavesdropper.hear(lambda: index.handler(b"{}", context))
        return self.findings.search(name, heard)

    def _app312(self, monkeypatch: pytest.MonkeyPatch) -> scanning.App:
        for name, value in self.scan.environ.items():
            monkeypatch.setenv(name, value)
        return scanning.start(ScanContext312(), clock=CloudClock(self.scan.cloud))

    def _context(self, runtime: int) -> Any:  # noqa: ANN401 - two runtimes, two kinds
        assert self._role is not None
        fresh = self.scan.cloud.ram.issue(self._role.role, expires_in=KEY_SECONDS)
        self.findings.know(fresh)
        if runtime == 0:
            return replace(self.scan.context, credentials=fresh)
        self.monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", fresh.access_key_id)
        self.monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", fresh.access_key_secret)
        self.monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", str(fresh.security_token))
        return ScanContext312()


@pytest.fixture
def overheard(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[OverheardScan]:
    """Deploy the scan where everything is heard."""
    tap = Wiretap()
    with LocalCloud(middleware=tap) as cloud:
        ears = Eavesdropper(capfd, tap, frozenset({cloud.admin.access_key_id}))
        yield OverheardScan(Scanning(cloud), ears, monkeypatch)


def scan_for_each_event(overheard: OverheardScan) -> None:
    """Send every event in both runtimes at every level."""
    for (name, (event, error)), _ in itertools.product(EVENTS.items(), range(2 * len(LEVELS))):
        heard = overheard.hear(event)
        assert type(heard.error) is (error or type(None)), f"{name} ended with {heard.error}"
        overheard.findings.count("An event, in both runtimes, at every level")


def refuse_each_call(overheard: OverheardScan) -> None:
    for refusal in REFUSALS:
        fault = Fault(refusal.action, "error", status=refusal.status, code=refusal.code, message=ECHO, count=ALWAYS)
        overheard.scan.cloud.faults.arm(fault)
        heard = overheard.hear({})
        assert type(heard.error) is refusal.error, f"{refusal} ended with {heard.error}"
        assert refusal.each is None or refusal.each.reason in str(heard.error)
        overheard.findings.count("A call that is refused for good")


def strike_each_call(overheard: OverheardScan) -> None:
    for action, kind in itertools.product(CALLS, KINDS):
        cloud = overheard.scan.cloud
        armed = cloud.faults.arm(echoing(cloud, action, kind))
        with patience(overheard.monkeypatch, kind):
            overheard.hear({})
        assert armed.struck
        overheard.findings.count("A call of a scan that a fault strikes")


def break_at_every_step(overheard: OverheardScan) -> None:
    """Let the clock break at its first reading, at its second, and so on until a scan gets by without it."""
    heard = list(_broken(overheard))
    assert sum(type(each.error) is errors.UnexpectedFailure for each in heard) >= 4
    overheard.findings.count("A bug at each reading of the clock")


def _broken(overheard: OverheardScan) -> Iterator[Heard]:
    for nth in itertools.count(1):
        clock = BreakingClock(overheard.scan.cloud, nth)
        yield overheard.hear({}, clock)
        if clock.left > 0:
            return


def start_in_wrong_environments(overheard: OverheardScan) -> None:
    for name, value in WRONG.items():
        assert isinstance(overheard.start(name, value).error, errors.SettingsError)
        overheard.findings.count("An environment that does not make sense")


def test_no_secret_leaves_the_scan_by_any_channel(overheard: OverheardScan, evidence: Evidence) -> None:
    scan_for_each_event(overheard)
    refuse_each_call(overheard)
    strike_each_call(overheard)
    break_at_every_step(overheard)
    start_in_wrong_environments(overheard)
    findings = overheard.findings
    assert findings.leaks == []
    evidence.publish("leaks-scan", findings.text(evidence))

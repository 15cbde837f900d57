"""What the functions close, one by one, that a search for leaks once found open."""

from __future__ import annotations

import http.client
import io
import os
import sys
import traceback
from collections.abc import Callable
from datetime import datetime

import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from shared.errors import SettingsError, UnexpectedFailure
from shared.invocation import ENVIRONMENT, credentials
from tests.deployment import CloudClock, Context312, Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent, everything_about
from tests.wire.scanning import Scanning
from tests.wire.surveys import Surveys

SECRET = "Marker-of-a-credential-01"


def raised_by(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, each test looks at
        act()
    return caught.value


def test_the_standard_librarys_debug_level_prints_no_request(
    deployed: Deployment, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    deployed.invoke({"UserName": "alice"})
    assert "send:" not in capfd.readouterr().out


def test_the_environment_shows_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", SECRET)
    assert ENVIRONMENT["ALIBABA_CLOUD_SECURITY_TOKEN"] == SECRET
    assert_absent({SECRET}, repr(ENVIRONMENT) + str(ENVIRONMENT) + pretty_repr(ENVIRONMENT), "the environment's repr")


def test_the_environment_is_the_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "sdk")
    assert dict(ENVIRONMENT) == dict(os.environ)
    assert len(ENVIRONMENT) == len(os.environ)
    ENVIRONMENT["DEBUG"] = "no"
    assert os.environ["DEBUG"] == "no"
    del ENVIRONMENT["DEBUG"]
    assert "DEBUG" not in os.environ


@pytest.mark.parametrize("missing", ["ID", "SECRET"])
def test_credentials_that_are_not_whole_are_not_shown_by_the_error(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for part in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN"):
        monkeypatch.setenv(f"ALIBABA_CLOUD_{part}", "" if part.endswith(missing) else SECRET)
    error = raised_by(lambda: credentials(Context312(), ENVIRONMENT))
    assert isinstance(error, SettingsError)
    locals_of_the_key = everything_about(error).replace(f"key_id = '{SECRET}'", "")  # which is no secret
    assert_absent({SECRET}, locals_of_the_key, "the error")


class BrokenClock(CloudClock):
    def now(self) -> datetime:
        raise ZeroDivisionError(SECRET)


def test_a_bug_outside_of_any_request_is_told_by_its_type_and_place(
    deployed: Deployment, capfd: pytest.CaptureFixture[str]
) -> None:
    deployed.app = replace(deployed.app, clock=BrokenClock(deployed.cloud))
    error = raised_by(lambda: deployed.invoke({"UserName": "alice"}))
    assert isinstance(error, UnexpectedFailure)
    assert error.happened.startswith("ZeroDivisionError in now, line ")
    assert (error.__cause__, error.__context__) == (None, None)
    assert_absent({SECRET}, everything_about(error), "the error")
    assert '"Error": "unexpected"' in capfd.readouterr().out


class BrokenOutput(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_bug_that_cannot_be_logged_is_not_shown_by_what_that_raises(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.app = replace(deployed.app, clock=BrokenClock(deployed.cloud))
    monkeypatch.setattr(sys, "stdout", BrokenOutput())
    error = raised_by(lambda: deployed.invoke({"UserName": "alice"}))
    assert isinstance(error, BrokenPipeError)
    assert_absent({SECRET}, everything_about(error), "the error")


def innermost(error: Exception) -> str:
    """Return the name of the function that an error's traceback ends in."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_name


def test_an_errors_frames_are_those_above_the_invocation_only(deployed: Deployment) -> None:
    assert innermost(raised_by(lambda: deployed.invoke({"UserName": "nobody"}))) == "reset_passwords"


def test_the_frames_of_a_looks_error_are_those_above_the_invocation_only(cloud: LocalCloud) -> None:
    surveys = Surveys(cloud)
    assert innermost(raised_by(lambda: surveys.show(UserName="nobody"))) == "show"
    surveys.status = replace(surveys.status, clock=BrokenClock(cloud))
    error = raised_by(surveys.show)
    assert isinstance(error, UnexpectedFailure)
    assert innermost(error) == "show"
    assert (error.__cause__, error.__context__) == (None, None)
    assert_absent({SECRET}, everything_about(error), "the error")


@pytest.mark.parametrize("action", ["ListUsers", "InvokeFunction"])
def test_the_frames_of_a_scans_error_are_those_above_the_invocation_only(cloud: LocalCloud, action: str) -> None:
    scan = Scanning(cloud)
    scan.crowd(1, age=lambda _number: 80)
    cloud.faults.arm(Fault(action, "error", status=403, code="AccessDenied", count=99))
    assert innermost(raised_by(scan.scan)) == "scan"

"""That a dispatch gives nothing away: the root logger at DEBUG, DEBUG=sdk, and every way in which it can go wrong."""

from __future__ import annotations

import ast
import http.client
import io
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fc2
import pytest

from shared.errors import DispatchError
from shared.ports import Dispatcher
from tests.contract.dispatchers import FC2, FC3, INVOKE, CloudDispatcherWorld
from tests.contract.test_dispatcher import TASK, rotation
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent, everything_about
from tests.wire.test_openapi import closed_port

FAULTS = {
    "none": None,
    "throttled": Fault(INVOKE, "throttle", count=100),
    "denied": Fault(INVOKE, "error", status=403, code="AccessDenied"),
    "refused": Fault(INVOKE, "error", status=404, code="FunctionNotFound"),
    "accepted before": Fault(INVOKE, "error", status=409, code="StatefulAsyncInvocationAlreadyExists"),
    "server error": Fault(INVOKE, "error", status=500, code="InternalServerError", count=100),
    "not JSON": Fault(INVOKE, "refuse-garbage", status=400, count=100),
    "bad gateway": Fault(INVOKE, "refuse-garbage", count=100),
    "a synchronous answer": Fault(INVOKE, "garbage", body=b"{}", count=100),
    "dropped": Fault(INVOKE, "drop-before", count=100),
    "lost": Fault(INVOKE, "drop-after"),
    "redirected": Fault(INVOKE, "redirect", location="http://127.0.0.1:9/elsewhere", count=100),
}
HEADERS = ("authorization", "x-fc-security-token", "x-acs-security-token")


@dataclass
class Heard:
    """Everything that was said, wherever."""

    log: io.StringIO
    console: pytest.CaptureFixture[str]

    def text(self) -> str:
        return self.log.getvalue() + "".join(self.console.readouterr())


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    """Let everything be said that can be."""
    monkeypatch.setenv("DEBUG", "sdk")
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield Heard(log, capfd)
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _fc2_as_it_comes() -> Iterator[None]:
    """Give fc2 its own log back after each test."""
    yield
    for module in (fc2.client, fc2.auth):
        module.logging = logging


@pytest.fixture(params=[FC3, FC2], ids=["fc3", "fc2"])
def world(cloud: LocalCloud, request: pytest.FixtureRequest) -> CloudDispatcherWorld:
    """Return each adapter on the loopback cloud."""
    return CloudDispatcherWorld(cloud, request.param)


def secrets_of(world: CloudDispatcherWorld) -> set[str]:
    return {world.credentials.access_key_secret, str(world.credentials.security_token)}


def assert_silent(world: CloudDispatcherWorld, heard: Heard, error: DispatchError | None) -> None:
    said = heard.text()
    assert_absent(secrets_of(world), said, "what was logged or printed")
    assert not [name for name in HEADERS if name in said.lower()]
    assert world.credentials.access_key_id not in said
    if error is not None:
        assert (error.__cause__, error.__context__) == (None, None)
        assert_absent(secrets_of(world), everything_about(error), "the error")


def dispatched(dispatcher: Dispatcher) -> DispatchError | None:
    try:
        dispatcher.dispatch(rotation(), TASK)
    except DispatchError as error:
        return error
    return None


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_nothing_is_given_away_whatever_goes_wrong(
    world: CloudDispatcherWorld, heard: Heard, fault: Fault | None
) -> None:
    if fault is not None:
        world.cloud.faults.arm(fault)
    error = dispatched(world.made())
    assert world.tries() >= 1
    assert_silent(world, heard, error)


def test_nothing_is_given_away_where_nobody_listens(world: CloudDispatcherWorld, heard: Heard) -> None:
    error = dispatched(world.made(closed_port()))
    assert error is not None
    assert_silent(world, heard, error)


def test_the_scan_would_hear_fc2_as_it_comes(cloud: LocalCloud, heard: Heard) -> None:
    # Without this, the tests above would prove nothing.
    world = CloudDispatcherWorld(cloud, FC2)
    who = world.credentials
    client = fc2.Client(
        endpoint=f"http://{cloud.endpoint}",
        accessKeyID=who.access_key_id,
        accessKeySecret=who.access_key_secret,
        securityToken=who.security_token,
    )
    for module in (fc2.client, fc2.auth):
        module.logging = logging
    with pytest.raises(fc2.FcError):
        client.invoke_function("no-service", "f", payload=b"{}", headers={"x-fc-invocation-type": "Async"})
    said = heard.text()
    assert str(who.security_token) in said
    assert all(name in said.lower() for name in ("authorization", "x-fc-security-token"))


def test_fc2_speaks_through_no_other_name_than_the_one_that_is_silenced() -> None:
    package = Path(str(fc2.__file__)).parent
    for file in (package / "client.py", package / "auth.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = [alias for node in imports for alias in node.names if alias.name.startswith("logg")]
        assert [(alias.name, alias.asname) for alias in names] == [("logging", None)]
        assert not [node for node in imports if isinstance(node, ast.ImportFrom) and node.module == "logging"]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_everybody_elses_log_stays_as_it_was(world: CloudDispatcherWorld, heard: Heard) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), list(root.filters), sys.modules["logging"])
    dispatched(world.made())
    logging.getLogger("somebody").debug("as ever")
    assert (root.level, list(root.handlers), list(root.filters), sys.modules["logging"]) == before
    assert heard.text() == "as ever\n"

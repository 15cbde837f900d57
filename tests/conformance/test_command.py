"""`python -m tests.conformance`: says what it would do, does it only when told to, and shows no secret."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Template

import pytest
from rich.console import Console

from tests.conformance.__main__ import main
from tests.conformance.account import Key, SettingsError, from_environment
from tests.conformance.bench import Bench
from tests.conformance.gate import Pace
from tests.conformance.interrupts import end_in_order
from tests.conformance.rehearsal import Stage
from tests.conformance.test_cleanup import everything
from tests.conformance.trials import try_everything
from tests.localcloud.api import Action, Call, Json
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import ACCOUNT_ID, FC_REGION
from tests.localcloud.switches import Switches

NEEDED = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIexample",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hidden",
    "CLOUDSSO_DIRECTORY_ID": "d-00fc2p61real",
    "CLOUDSSO_REGION": "cn-shanghai",
    "KMS_REGION": "cn-hangzhou",
    "CONFORMANCE_PREFIX": "rotator-conformance-",
}


def environ(rehearsal: Stage, **more: str) -> dict[str, str]:
    account = rehearsal.account
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": account.key.key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": account.key.secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": account.key.token or "",
        "CLOUDSSO_DIRECTORY_ID": account.directory_id,
        "CLOUDSSO_REGION": account.directory_region,
        "KMS_REGION": account.kms_region,
        "CONFORMANCE_PREFIX": account.prefix,
        "CONFORMANCE_ENDPOINT": account.endpoint or "",
        **more,
    }


def run(rehearsal: Stage, *arguments: str, **more: str) -> tuple[int, str]:
    """Run the command on a loopback cloud as if it were an account; return its exit status and what it printed."""
    output = io.StringIO()
    console = Console(file=output, width=400)
    status = main(arguments, environ(rehearsal, **more), console, Pace(rehearsal.let_pass))
    return status, output.getvalue()


def test_everything_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({})
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == list(NEEDED)


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "c", "a-", "cloudsso", "conformance", "Rotator-conformance-", "rotator/conformance-", "production-"),
        *("-----------", "x" * 40 + "-", "rotator-conformance-*", "rotator-conformance-\n"),
    ],
)
def test_a_prefix_that_could_be_somebody_elses_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="CONFORMANCE_PREFIX"):
        from_environment({**NEEDED, "CONFORMANCE_PREFIX": prefix})
    with pytest.raises(ValueError, match="CONFORMANCE_PREFIX"):
        replace(from_environment(NEEDED), prefix=prefix)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONFORMANCE_FUNCTION", "cloudsso-rotator-reset-password"),
        ("CONFORMANCE_ALLOW_SSO", "true"),
        ("CONFORMANCE_ENDPOINT", "example.com:80"),
        ("CONFORMANCE_ENDPOINT", "127.0.0.1:80@example.com"),
    ],
)
def test_what_would_allow_too_much_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        from_environment({**NEEDED, name: value})


def test_sso_logon_is_allowed_by_the_directorys_id() -> None:
    assert not from_environment(NEEDED).may_enable_sso
    assert from_environment({**NEEDED, "CONFORMANCE_ALLOW_SSO": "d-00fc2p61real"}).may_enable_sso


def test_an_account_does_not_show_its_secret() -> None:
    assert "hidden" not in repr(from_environment(NEEDED))


@pytest.mark.parametrize("confirmation", ["", "d-00fc2p61other"])
def test_without_a_confirmation_that_names_the_directory_nothing_is_sent(rehearsal: Stage, confirmation: str) -> None:
    status, output = run(rehearsal, CONFORMANCE_CONFIRM=confirmation)
    assert status == 2
    assert rehearsal.cloud.calls.actions() == []
    for told in ("CreateUser", "ResetUserPassword", "20 users, 3 at a time", "31 secrets, 3 at a time"):
        assert told in output
    assert "as CONFORMANCE_FUNCTION is not set" in output
    assert f"CONFORMANCE_CONFIRM={rehearsal.account.directory_id} make conformance" in output


def test_settings_that_are_wrong_send_nothing(rehearsal: Stage) -> None:
    status, output = run(rehearsal, CONFORMANCE_PREFIX="a-", CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert (status, rehearsal.cloud.calls.actions()) == (2, [])
    assert "CONFORMANCE_PREFIX" in output


def test_a_confirmed_run_tells_what_it_found_leaves_nothing_and_shows_no_secret(
    rehearsal: Stage, tmp_path: Path
) -> None:
    passwords = note_passwords(rehearsal)
    rehearsal.cloud.switches = replace(Switches(), purge="earliest-without-stage")
    file = tmp_path / "report.json"
    status, output = run(rehearsal, "--report", str(file), CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (status, found["good"], found["left"], everything(rehearsal)) == (0, True, [], [])
    readings = {each["tried"]: (each["verdict"], each["seen"], each["loopback_default"]) for each in found["switches"]}
    assert readings["purge"] == ("other reading", "earliest-without-stage", "earliest")
    assert readings["name_filter"] == ("default", "prefix", "prefix")
    assert readings["task_exists"][0] == "skipped"
    assert readings["dead_letters"][0] == "by hand"
    assert found["cost"]["users"] == 20
    assert "Everything that was tried is as the rotator is tested" in output
    key = rehearsal.account.key
    for secret in (key.secret, key.token or "?", rehearsal.account.directory_id, *passwords):
        assert secret not in output + file.read_text(encoding="utf-8")
    assert len(passwords) == 10


def note_passwords(rehearsal: Stage) -> set[str]:
    """Let a cloud note every password that is set or generated."""
    noted: set[str] = set()
    actions = rehearsal.cloud.cloudsso.actions
    honest: Action = actions["ResetUserPassword"]

    def reset(call: Call) -> Json:
        answer = honest.handle(call)
        noted.add(answer.get("NewPassword") or call.params["Password"])
        return answer

    actions["ResetUserPassword"] = replace(honest, handle=reset)
    return noted


def test_the_published_policy_is_enough(rehearsal: Stage) -> None:
    text = (Path(__file__).with_name("policy.json")).read_text(encoding="utf-8")
    names = {**environ(rehearsal), "ACCOUNT_ID": ACCOUNT_ID, "FC_REGION": FC_REGION, "KMS_KEY_ID": "key-1"}
    role = rehearsal.cloud.role("conformance", json.loads(Template(text).substitute(names)))
    key = Key(role.access_key_id, role.access_key_secret, role.security_token)
    account = replace(rehearsal.account, key=key, may_enable_sso=False, kms_key="key-1")
    found = try_everything(Bench(account, Pace(rehearsal.let_pass)))
    assert (found.good, found.left) == (True, [])
    assert [result.tried for result in found.switches if result.verdict == "skipped"] == ["sso_enabled"]


def test_something_that_differs_is_told_by_the_exit_status(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.arm(Fault("DescribeSecret", "error", status=400, code="Odd", count=9))
    status, output = run(rehearsal, CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert status == 1
    assert "400 Odd" in output
    assert "1 of the above are not as the rotator is tested" in output
    assert everything(rehearsal) == []


def test_a_role_that_may_not_even_look_is_told(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.arm(Fault("ListUsers", "error", status=403, code="NoPermission", count=99))
    status, output = run(rehearsal, CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert status == 1
    assert "It could not begin: 403 NoPermission" in output


def test_an_interrupt_ends_it_and_leaves_nothing(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.after("CreateSecret", lambda: os.kill(os.getpid(), signal.SIGINT), nth=3)
    status, output = run(rehearsal, CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert status == 130
    assert "Interrupted" in output
    assert everything(rehearsal) == []


@pytest.fixture
def ended_in_order() -> Iterator[None]:
    """Take signals as the command does."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    end_in_order()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ended_in_order")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_waits_for_its_clean_up(rehearsal: Stage, number: signal.Signals) -> None:
    rehearsal.cloud.faults.after("CreateSecret", lambda: os.kill(os.getpid(), number), nth=3)
    with pytest.raises(SystemExit) as ended:
        run(rehearsal, CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert ended.value.code == 128 + number
    assert rehearsal.cloud.calls.count("CreateSecret") == 3
    assert everything(rehearsal) == []


def test_what_is_left_behind_is_told_by_name(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.arm(Fault("DeleteUser", "error", status=403, code="NoPermission", nth=19, count=999))
    status, output = run(rehearsal, CONFORMANCE_CONFIRM=rehearsal.account.directory_id)
    assert status == 1
    assert "Still there, remove it yourself: user rotator-conformance-" in output

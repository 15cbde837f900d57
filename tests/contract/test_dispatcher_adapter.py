"""What of Dispatcher's contract only the adapters can show: what they send, how often, and which answers they trust."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from shared import connections, dispatch, openapi
from shared.errors import DispatchDenied, DispatchError, DispatchRefused, DispatchUnavailable
from shared.model import Credentials, Endpoint, RotationTarget, Sealed, TaskId
from shared.ports import Dispatcher
from tests.contract.dispatchers import FC2, FC3, INVOKE, CloudDispatcherWorld, HandedOn
from tests.contract.test_dispatcher import EVENT, TASK, rotation
from tests.fakes import FakeClock
from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.ram.service import Ram
from tests.localcloud.server import ADMIN_POLICY, FC_REGION, LocalCloud
from tests.wire.test_openapi import closed_port

ERROR_BODY = {"Code": "Some", "ErrorCode": "Some", "Message": "m", "ErrorMessage": "m", "RequestId": "r-1"}


@pytest.fixture(params=[FC3, FC2], ids=["fc3", "fc2"])
def world(cloud: LocalCloud, request: pytest.FixtureRequest) -> CloudDispatcherWorld:
    """Return each adapter on the loopback cloud."""
    return CloudDispatcherWorld(cloud, request.param)


def handed_on_by(world: CloudDispatcherWorld) -> bool:
    return world.dispatcher.dispatch(rotation(), TASK)


def error_of(world: CloudDispatcherWorld, kind: type[DispatchError] = DispatchUnavailable) -> DispatchError:
    with pytest.raises(kind) as caught:
        handed_on_by(world)
    return caught.value


def answer(world: CloudDispatcherWorld, status: int, body: object = None, *, count: int = 1) -> None:
    """Let the next calls not be carried out, and be answered with a status and a body of our own."""
    raw = body if isinstance(body, bytes) else json.dumps(body or ERROR_BODY).encode()
    fault = Fault(INVOKE, "refuse-garbage", status=status, body=raw, content_type="application/json", count=count)
    world.cloud.faults.arm(fault)


# ------------------------------------------------------------------------------------------------------ what is sent


def test_one_call_is_made_by_the_dispatching_role_asynchronously_and_under_the_task_id(
    world: CloudDispatcherWorld,
) -> None:
    handed_on_by(world)
    (call,) = world.cloud.calls.matching(role="dispatching")
    service = {"ServiceName": world.target.service} if world.target.service else {}
    assert (call.action, call.status, call.applied) == (INVOKE, 202, True)
    assert call.params == {
        "FunctionName": world.target.name,
        "Qualifier": "prod",
        "InvocationType": "Async",
        "TaskId": TASK,
        **service,
    }


@pytest.mark.parametrize("target", [RotationTarget("reset"), RotationTarget("reset", None, "rotator")], ids=str)
def test_without_a_qualifier_the_latest_version_is_meant(cloud: LocalCloud, target: RotationTarget) -> None:
    world = CloudDispatcherWorld(cloud, target)
    assert handed_on_by(world)
    assert [task.target for task in world.backend.accepted] == [Target("reset", "LATEST", target.service)]


def test_text_beyond_ascii_arrives_as_it_is(world: CloudDispatcherWorld) -> None:
    request = rotation("zoë 王")  # no CloudSSO user name, and no concern of a dispatcher
    assert world.dispatcher.dispatch(request, TASK)
    assert world.handed_on() == [HandedOn(TASK, {**EVENT, "UserName": "zoë 王"})]


def test_the_longest_task_id_travels(world: CloudDispatcherWorld) -> None:
    longest = TaskId("e" * 128)
    assert world.dispatcher.dispatch(rotation(), longest)
    assert [sent.task_id for sent in world.handed_on()] == [longest]


# ------------------------------------------------------------------------------------------------ what is sent again


def test_a_lost_answer_is_asked_for_again_and_nothing_is_handed_on_twice(world: CloudDispatcherWorld) -> None:
    world.cloud.faults.arm(Fault(INVOKE, "drop-after"))
    assert handed_on_by(world) is False
    assert (world.tries(), world.handed_on()) == (2, [HandedOn(TASK, EVENT)])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(INVOKE, "throttle"),
        Fault(INVOKE, "throttle", status=400, code="Throttling.User"),
        Fault(INVOKE, "throttle", retry_after_ms=700),
        Fault(INVOKE, "error", status=500, code="InternalServerError"),
        Fault(INVOKE, "error", status=503, code="ServiceUnavailable"),
        Fault(INVOKE, "error", status=408, code="RequestTimeout"),
        Fault(INVOKE, "error", status=409, code="ConcurrentUpdateError"),
        Fault(INVOKE, "error", status=499, code="ClientClosedRequest"),
        Fault(INVOKE, "drop-before"),
        Fault(INVOKE, "refuse-garbage"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status or ''}",
)
def test_what_may_get_better_is_sent_again_until_it_does(world: CloudDispatcherWorld, fault: Fault) -> None:
    world.cloud.faults.arm(fault)
    assert handed_on_by(world)
    assert (world.tries(), len(world.handed_on())) == (2, 1)


def test_a_call_that_is_not_answered_is_given_up_and_sent_again(
    world: CloudDispatcherWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "READ_TIMEOUT", timedelta(seconds=0.2))
    if world.target == FC2:
        monkeypatch.setattr("shared.fc2._TIMEOUTS", (5, 0.2))
    world.cloud.faults.arm(Fault(INVOKE, "hang"))
    assert world.made().dispatch(rotation(), TASK) is False
    assert (world.tries(), len(world.handed_on())) == (2, 1)


def test_pauses_grow_and_end_in_time(world: CloudDispatcherWorld) -> None:
    slept: list[float] = []
    shift = world.clock.sleep

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        shift(seconds)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    world.shut_down()
    error_of(world)
    assert slept[:4] == [0.25, 0.5, 1.0, 2.0]
    assert set(slept[4:]) == {openapi.LONGEST_DELAY.total_seconds()}
    assert sum(slept) <= connections.UNHURRIED.total_seconds()
    assert world.tries() == len(slept) + 1


def test_nothing_is_sent_when_a_pause_took_too_long(world: CloudDispatcherWorld) -> None:
    world.cloud.faults.arm(Fault(INVOKE, "throttle"))
    shift = world.clock.sleep
    world.clock.sleep = lambda seconds: shift(seconds + connections.UNHURRIED.total_seconds())  # type: ignore[method-assign]
    assert error_of(world).unchanged == "It was not handed on."
    assert world.tries() == 1


def test_a_doubt_that_an_earlier_try_left_is_told_whatever_the_last_one_says(world: CloudDispatcherWorld) -> None:
    world.cloud.faults.arm(Fault(INVOKE, "drop-after"))
    world.cloud.faults.arm(Fault(INVOKE, "error", nth=2, status=403, code="AccessDenied"))
    assert error_of(world, DispatchDenied).unchanged == "Whether it was handed on is not known."


def test_a_refused_connection_is_tried_by_the_dispatcher_alone(cloud: LocalCloud, world: CloudDispatcherWorld) -> None:
    # fc2's own retries would take 30 s of real time for each try.
    with pytest.raises(DispatchUnavailable) as caught:
        world.made(closed_port()).dispatch(rotation(), TASK)
    assert "no readable answer" in str(caught.value)
    assert caught.value.unchanged == "Whether it was handed on is not known."
    assert len(cloud.calls) == 0


def test_a_dispatcher_without_a_server_gives_up_by_its_own_clock() -> None:
    clock = FakeClock()
    start = clock.now()
    nobody = Credentials("STS.nobody", Sealed("secret"), Sealed("token"))
    for target in (FC3, FC2):
        made: Dispatcher = dispatch.dispatcher(target, Endpoint(closed_port(), "HTTP"), FC_REGION, nobody, clock)
        with pytest.raises(DispatchUnavailable):
            made.dispatch(rotation(), TASK)
    assert clock.now() - start <= 2 * connections.UNHURRIED


def test_an_attempt_that_may_begin_at_the_end_is_part_of_the_longest_time_a_dispatch_takes() -> None:
    assert connections.UNHURRIED + timedelta(seconds=15) == dispatch.LONGEST


# ---------------------------------------------------------------------------------------------- what is trusted


@pytest.mark.parametrize("status", [200, 201, 203, 206, 300])
def test_only_202_is_taken_for_acceptance(world: CloudDispatcherWorld, status: int) -> None:
    answer(world, status, count=100)
    assert str(status) in str(error_of(world))


@pytest.mark.parametrize(
    "code", ["StatefulAsyncInvocationAlreadyExists", "AsyncTaskAlreadyExists", "TaskAlreadyExists", "unheard-of"]
)
def test_409_means_accepted_before_whatever_its_code(world: CloudDispatcherWorld, code: str) -> None:
    world.cloud.faults.arm(Fault(INVOKE, "error", status=409, code=code))
    assert handed_on_by(world) is False
    assert world.tries() == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", DispatchDenied),
        (403, "unheard-of", DispatchDenied),
        (401, "unheard-of", DispatchDenied),
        (403, "SignatureNotMatch", DispatchDenied),
        (404, "InvalidAccessKeyId.NotFound", DispatchDenied),
        (400, "SignatureDoesNotMatch", DispatchDenied),
        (400, "InvalidSecurityToken.Expired", DispatchDenied),
        (400, "InvalidTimeStamp.Expired", DispatchDenied),
        (404, "FunctionNotFound", DispatchRefused),
        (404, "ServiceNotFound", DispatchRefused),
        (404, "AliasNotFound", DispatchRefused),
        (400, "InvalidArgument", DispatchRefused),
        (400, "EntityTooLarge", DispatchRefused),
        (412, "unheard-of", DispatchRefused),
    ],
)
def test_a_refusal_is_final_and_sent_once(
    world: CloudDispatcherWorld, status: int, code: str, kind: type[DispatchError]
) -> None:
    world.cloud.faults.arm(Fault(INVOKE, "error", status=status, code=code))
    error = error_of(world, kind)
    assert (error.retryable, error.unchanged, world.tries()) == (False, "It was not handed on.", 1)
    record = world.cloud.calls.matching(INVOKE)[0]
    assert f"({status} {code}, request {record.request_id})" in error.happened
    assert "'bob'" in error.happened
    assert f"'{world.target}'" in error.happened


def test_a_code_that_could_be_anything_is_not_passed_on(world: CloudDispatcherWorld) -> None:
    code = "Some <code> with a\nsecond line"
    answer(world, 403, {**ERROR_BODY, "Code": code, "ErrorCode": code})
    assert "403 unknown" in error_of(world, DispatchDenied).happened


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 502])
@pytest.mark.parametrize("body", [b"<html>no JSON</html>", b"", b"[]", b"null", b'"text"', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_function_computes_own_settles_nothing(
    world: CloudDispatcherWorld, status: int, body: bytes
) -> None:
    answer(world, status, body or b" ", count=100)
    assert "no readable answer" in error_of(world).happened
    world.cloud.faults.clear()
    assert handed_on_by(world)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(world: CloudDispatcherWorld, status: int) -> None:
    with LocalCloud() as elsewhere:
        to = f"http://{elsewhere.endpoint}/2016-08-15/services/s/functions/f/invocations"
        world.cloud.faults.arm(Fault(INVOKE, "redirect", status=status, location=to, count=100))
        error_of(world)
        assert len(elsewhere.calls) == 0


def test_a_role_that_may_not_invoke_the_function_is_denied(world: CloudDispatcherWorld) -> None:
    other = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "fc:*", "Resource": "acs:fc:*:*:other/*"}]}
    world.credentials = world.cloud.role("dispatching", other)
    with pytest.raises(DispatchDenied) as caught:
        world.made().dispatch(rotation(), TASK)
    assert "403 AccessDenied" in caught.value.happened


@pytest.mark.parametrize("spoil", [lambda ram, key: ram.expire(key), lambda ram, key: ram.revoke(key)])
def test_credentials_that_have_run_out_are_denied(
    world: CloudDispatcherWorld, spoil: Callable[[Ram, str], None]
) -> None:
    spoil(world.cloud.ram, world.credentials.access_key_id)
    error_of(world, DispatchDenied)


def test_a_long_lived_key_needs_no_token(world: CloudDispatcherWorld) -> None:
    world.credentials = world.cloud.role("person", ADMIN_POLICY, expires_in=None)
    assert world.made().dispatch(rotation(), TASK)


def test_a_netrc_file_does_not_take_the_signatures_place(
    world: CloudDispatcherWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    assert handed_on_by(world)


# --------------------------------------------------------------------------------------------------- cold start


@pytest.mark.parametrize(
    ("made", "imported"),
    [
        ("import functions.reset_password.index", set()),
        ("import shared.dispatch", set()),
        ("dispatcher(RotationTarget('f'))", {"alibabacloud_fc20230330"}),
        ("dispatcher(RotationTarget('f', None, 's'))", {"fc2"}),
    ],
)
def test_no_sdk_is_imported_before_a_dispatcher_of_its_kind_is_made(made: str, imported: set[str]) -> None:
    program = f"""
import json, sys
def dispatcher(target):
    from shared import bootstrap, dispatch
    from shared.model import Credentials, Endpoint, Sealed
    who = Credentials("id", Sealed("secret"), None)
    return dispatch.dispatcher(target, Endpoint("127.0.0.1:1", "HTTP"), "cn-hangzhou", who, bootstrap.SystemClock())
from shared.model import RotationTarget
{made}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    assert loaded & {"alibabacloud_fc20230330", "fc2"} == imported

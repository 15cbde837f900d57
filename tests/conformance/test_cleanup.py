"""Whatever happens, nothing that the suite made stays, and nothing else goes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_kms20160120 import models as kms

from shared.openapi import Failure
from tests.conformance.bench import Bench
from tests.conformance.catalogue import BEHAVIOURS, EXPERIMENTS, Behaviour
from tests.conformance.gate import Pace
from tests.conformance.guard import Asked
from tests.conformance.interrupts import undisturbed
from tests.conformance.lies import LyingGate
from tests.conformance.rehearsal import Stage
from tests.conformance.trials import try_behaviour
from tests.conformance.verdicts import DiffersError, RefusedError
from tests.localcloud.gateway.faults import Fault
from tests.loopback import clients

Check = Callable[[Bench], None]


def users_of(rehearsal: Stage) -> list[str]:
    """Return the names of all users but the one that SCIM keeps."""
    cloud = rehearsal.cloud
    request = sso.ListUsersRequest(directory_id=cloud.cloudsso.directory_id, max_results=100)
    listed = clients.cloudsso(cloud).list_users(request).body.users
    return [user.user_name for user in listed if user.user_id != rehearsal.account.synchronized_user]


def everything(rehearsal: Stage) -> list[str]:
    return [*users_of(rehearsal), *rehearsal.cloud.kms.secret_names()]


def tried(rehearsal: Stage, check: Check) -> tuple[str, str]:
    result = try_behaviour(rehearsal.bench(), Behaviour("KMS", "something", check))
    return result.verdict, result.seen


def make_one_of_each(bench: Bench) -> None:
    bench.users.generate(bench.users.create())
    bench.secrets.create()


def test_a_trial_that_differs_leaves_nothing(rehearsal: Stage) -> None:
    def differ(bench: Bench) -> None:
        make_one_of_each(bench)
        message = "seen"
        raise DiffersError(message)

    assert tried(rehearsal, differ) == ("differs", "seen")
    assert everything(rehearsal) == []


def test_a_trial_with_a_defect_leaves_nothing_and_its_text_is_not_told(rehearsal: Stage) -> None:
    def fail(bench: Bench) -> None:
        make_one_of_each(bench)
        message = "Secret-Passw0rd!"
        raise ValueError(message)

    verdict, seen = tried(rehearsal, fail)
    assert verdict == "failed"
    assert seen.startswith("ValueError in fail, line ")
    assert everything(rehearsal) == []


@pytest.mark.parametrize("action", ["CreateUser", "CreateSecret", "DeleteSecret"])
def test_an_interrupt_in_the_middle_of_a_call_leaves_nothing(rehearsal: Stage, action: str) -> None:
    rehearsal.cloud.faults.after(action, lambda: os.kill(os.getpid(), signal.SIGINT))

    def make_and_delete(bench: Bench) -> None:
        make_one_of_each(bench)
        bench.secrets.delete(bench.secrets.create(), for_good=True)

    with pytest.raises(KeyboardInterrupt):
        tried(rehearsal, make_and_delete)
    assert everything(rehearsal) == []


def test_an_interrupt_during_the_cleaning_waits_for_its_end(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.before("DeleteUser", lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        tried(rehearsal, make_one_of_each)
    assert everything(rehearsal) == []


def test_signals_are_as_before_after_a_block_that_was_not_disturbed() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with undisturbed():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("action", ["CreateUser", "CreateSecret"])
def test_what_was_made_though_the_answer_was_lost_goes_too(rehearsal: Stage, action: str) -> None:
    rehearsal.cloud.faults.arm(Fault(action, "drop-after"))
    assert tried(rehearsal, make_one_of_each) == ("failed", "no readable answer")
    assert rehearsal.cloud.calls.count(action, applied=True) == 1
    assert everything(rehearsal) == []


def answering(rehearsal: Stage, action: str, change: Callable[[dict[str, Any]], object]) -> Bench:
    """Return a bench whose service answers an action otherwise."""

    def lie(asked: Asked, honest: Callable[[], Any]) -> Any:  # noqa: ANN401 - an answer
        answer = honest()
        if asked.action == action and not isinstance(answer, Failure):
            change(answer["body"])
        return answer

    pace = Pace(rehearsal.let_pass)
    return Bench(rehearsal.account, pace, LyingGate(rehearsal.account, pace, lie))


def test_whoever_is_found_besides_a_user_whose_id_was_lost_stays(rehearsal: Stage) -> None:
    bystander = {"UserName": "rotator-conformance-bystander"}
    bystander["UserId"] = rehearsal.cloud.cloudsso.add_user(bystander["UserName"])
    bench = answering(rehearsal, "ListUsers", lambda body: body["Users"].append(bystander))
    rehearsal.cloud.faults.arm(Fault("CreateUser", "drop-after"))
    with pytest.raises(RefusedError):
        bench.users.create()
    assert len(everything(rehearsal)) == 2
    assert bench.clean() == []
    assert everything(rehearsal) == [bystander["UserName"]]


def test_an_answer_of_another_shape_does_not_end_the_cleaning(rehearsal: Stage) -> None:
    bench = answering(rehearsal, "ListUsers", lambda body: body.update(Users=7))
    rehearsal.cloud.faults.arm(Fault("CreateUser", "drop-after"))
    with pytest.raises(RefusedError):
        bench.users.create()
    name = bench.secrets.create()
    (problem,) = bench.clean()
    assert problem.endswith(": TypeError")
    assert name not in everything(rehearsal)


def test_a_secret_in_deletion_goes_for_good(rehearsal: Stage) -> None:
    def delete(bench: Bench) -> None:
        bench.secrets.delete(bench.secrets.create(), for_good=False)

    assert tried(rehearsal, delete) == ("holds", "")
    assert everything(rehearsal) == []


def test_a_secret_in_deletion_that_must_be_restored_before_goes_too(rehearsal: Stage) -> None:
    refusal = Fault("DeleteSecret", "error", nth=2, status=409, code="Rejected.ResourceInDeleteWindow")
    rehearsal.cloud.faults.arm(refusal)

    def delete(bench: Bench) -> None:
        bench.secrets.delete(bench.secrets.create(), for_good=False)

    assert tried(rehearsal, delete) == ("holds", "")
    assert rehearsal.cloud.calls.count("RestoreSecret") == 1
    assert everything(rehearsal) == []


def test_sso_logon_is_disabled_again_whatever_happens(rehearsal: Stage) -> None:
    def enable(bench: Bench) -> None:
        bench.users.enable_sso()
        raise ValueError

    assert tried(rehearsal, enable)[0] == "failed"
    assert rehearsal.bench().users.sso_status() == "Disabled"


def test_sso_logon_that_cannot_be_disabled_is_told_and_tried_again(rehearsal: Stage) -> None:
    bench = rehearsal.bench()
    bench.users.enable_sso()
    action = "SetExternalSAMLIdentityProvider"
    rehearsal.cloud.faults.arm(Fault(action, "error", status=403, code="NoPermission"))
    assert bench.clean() == ["SSO logon of the directory is still enabled: 403 NoPermission"]
    assert bench.clean() == []
    assert bench.users.sso_status() == "Disabled"


def test_what_cannot_be_removed_is_told_and_kept_in_mind(rehearsal: Stage) -> None:
    bench = rehearsal.bench()
    user, name = bench.users.create(), bench.secrets.create()
    for action in ("DeleteUser", "DeleteSecret"):
        refusal = Fault(action, "error", status=403, code="NoPermission", count=2)
        rehearsal.cloud.faults.arm(refusal)
    assert bench.clean() == [f"user {user.name}: 403 NoPermission", f"secret {name}: 403 NoPermission"]
    rehearsal.cloud.faults.clear()
    assert bench.clean() == []
    assert everything(rehearsal) == []


def test_what_an_earlier_run_has_left_goes_and_nothing_else(rehearsal: Stage) -> None:
    make_one_of_each(rehearsal.bench())
    lost = rehearsal.bench()
    lost.secrets.delete(lost.secrets.create(), for_good=False)
    others = ["alice", "rotator-conformance-alice", "rotator-conformance-0a1b2c-0001"]
    for name in others:
        rehearsal.cloud.cloudsso.add_user(name)
    tags = json.dumps([{"TagKey": "conformance", "TagValue": "throwaway"}])
    for name in others:
        foreign = kms.CreateSecretRequest(secret_name=name, version_id="v1", secret_data="x", tags=tags)
        clients.kms(rehearsal.cloud).create_secret(foreign)
    assert rehearsal.bench().clean_up_after_others() == []
    assert everything(rehearsal) == [*others, *others]


def test_throttled_calls_are_made_again_later(rehearsal: Stage) -> None:
    waits: list[float] = []
    bench = Bench(rehearsal.account, Pace(waits.append, between_calls=0.5))
    rehearsal.cloud.faults.arm(Fault("CreateSecret", "throttle", count=2))
    rehearsal.cloud.faults.arm(Fault("CreateUser", "throttle", retry_after_ms=7000))
    bench.secrets.create()
    bench.users.create()
    assert waits == [0.5, 1.0, 0.5, 2.0, 0.5, 0.5, 7.0, 0.5]
    assert bench.clean() == []


def test_a_service_that_throttles_for_ever_is_no_difference(rehearsal: Stage) -> None:
    rehearsal.cloud.faults.arm(Fault("CreateSecret", "throttle", count=100))
    verdict, seen = tried(rehearsal, make_one_of_each)
    assert verdict == "failed"
    assert seen.startswith("429 ")
    assert rehearsal.cloud.calls.count("CreateSecret") == 6


@pytest.mark.parametrize(
    ("status", "code"), [(403, "NoPermission"), (503, "ServiceUnavailable"), (404, "InvalidAccessKeyId.NotFound")]
)
def test_a_refusal_for_another_cause_is_no_reading(rehearsal: Stage, status: int, code: str) -> None:
    rehearsal.cloud.faults.arm(Fault("PutSecretValue", "error", status=status, code=code))

    def put(bench: Bench) -> None:
        EXPERIMENTS["put_other_data"].find(bench)

    assert tried(rehearsal, put) == ("failed", f"{status} {code}")


def test_resets_are_skipped_where_sso_logon_is_enabled(rehearsal: Stage) -> None:
    rehearsal.bench().users.enable_sso()
    verdict, seen = tried(rehearsal, make_one_of_each)
    assert verdict == "skipped"
    assert "SSO logon is enabled" in seen


def test_a_task_that_is_not_recorded_yet_is_waited_for(rehearsal: Stage) -> None:
    late = Fault("GetAsyncTask", "error", status=404, code="StatefulAsyncInvocationNotFound", count=2)
    rehearsal.cloud.faults.arm(late)
    (behaviour,) = [each for each in BEHAVIOURS if "becomes a task" in each.sentence]
    assert try_behaviour(rehearsal.bench(), behaviour).verdict == "holds"

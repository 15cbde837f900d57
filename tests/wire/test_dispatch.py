"""Both dispatchers and functions that run: what is dispatched is executed, once, with what was meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import dispatch
from shared.bootstrap import SystemClock
from shared.errors import DispatchRefused
from shared.model import Endpoint, RotationTarget, TaskId
from shared.ports import Dispatcher
from tests.contract.directories import credentials_of
from tests.contract.dispatchers import FC2, FC3, may_invoke
from tests.contract.test_dispatcher import EVENT, TASK, rotation
from tests.localcloud.fc.backend import AsyncConfig, Target
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.server import FC_REGION, LocalCloud

CODE = """
import json

def handler(event, context):
    print("rotates " + json.dumps(json.loads(event), sort_keys=True))
    return "done"
"""


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """Serve a cloud in which nobody waits."""
    with LocalCloud(skip_waiting=True) as serving:
        yield serving


@pytest.fixture(params=[FC3, FC2], ids=["fc3", "fc2"])
def target(cloud: LocalCloud, request: pytest.FixtureRequest, tmp_path: Path) -> RotationTarget:
    """Deploy the rotating function, one that only says what it was asked."""
    (tmp_path / "index.py").write_text(CODE, encoding="utf-8")
    named: RotationTarget = request.param
    spec = FunctionSpec(
        named.name,
        tmp_path,
        "index.handler",
        service=named.service,
        qualifiers=(str(named.qualifier),),
    )
    cloud.fc.deploy(spec)
    cloud.fc.set_async_config(function(named), AsyncConfig(task=True))  # of this qualifier: LATEST has its own
    return named


def function(target: RotationTarget) -> Target:
    return Target(target.name, target.qualifier or "LATEST", target.service)


def dispatching(cloud: LocalCloud, target: RotationTarget) -> Dispatcher:
    who = credentials_of(cloud.role("dispatching", may_invoke(function(target), cloud)))
    return dispatch.dispatcher(target, Endpoint(cloud.endpoint, "HTTP"), FC_REGION, who, SystemClock())


def rotated(cloud: LocalCloud) -> list[object]:
    """Return what the function says that it was asked for."""
    lines = [line for record in cloud.fc.logs() for line in record.text.splitlines()]
    return [json.loads(line.partition("rotates ")[2]) for line in lines if "rotates " in line]


def test_what_is_dispatched_is_executed_once_with_what_was_meant(cloud: LocalCloud, target: RotationTarget) -> None:
    made = dispatching(cloud, target)
    assert [made.dispatch(rotation(), TASK) for _ in range(3)] == [True, False, False]
    cloud.timeline.settle()
    assert rotated(cloud) == [EVENT]
    assert made.dispatch(rotation(), TASK) is False  # also when it has been executed


def test_without_asynchronous_tasks_ids_mean_nothing_and_everything_is_executed(
    cloud: LocalCloud, target: RotationTarget
) -> None:
    cloud.fc.set_async_config(function(target), AsyncConfig())
    made = dispatching(cloud, target)
    assert [made.dispatch(rotation(), TASK) for _ in range(2)] == [True, True]
    cloud.timeline.settle()
    assert rotated(cloud) == [EVENT, EVENT]


def test_different_tasks_are_executed_each(cloud: LocalCloud, target: RotationTarget) -> None:
    made = dispatching(cloud, target)
    names = {f"user-{number}" for number in range(5)}
    assert all(made.dispatch(rotation(name), TaskId(f"expiring-{name}")) for name in names)
    cloud.timeline.settle()
    events = rotated(cloud)
    assert len(events) == 5
    assert {event["UserName"] for event in events if isinstance(event, dict)} == names


def test_a_qualifier_that_was_not_published_is_refused(cloud: LocalCloud, target: RotationTarget) -> None:
    other = RotationTarget(target.name, "staging", target.service)
    with pytest.raises(DispatchRefused):
        dispatching(cloud, other).dispatch(rotation(), TASK)
    assert rotated(cloud) == []

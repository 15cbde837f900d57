"""The loopback cloud speaks of nothing that the official SDKs do not know."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from alibabacloud_fc20230330 import models as fc

from tests.conformance.declared import Declared, everything, names_in_the_source
from tests.conformance.sdk_models import request_names, strange_fields, wire_fields
from tests.evidence.plugin import Evidence
from tests.localcloud.fc import api3, tasks
from tests.localcloud.fc.backend import AsyncConfig, Target, TaskEvent, TaskRecord
from tests.localcloud.fc.operation import Place
from tests.loopback.fc_stub import NOON

FC = "2023-03-30"
TASK = TaskRecord("t", "r", Target("f"), "Failed", NOON, b"{}", ended=NOON, events=(TaskEvent("Failed", NOON),))
PLACE = Place("cn-hangzhou", "1")
# Terraform's provider uses them; the SDK does not have them.
WITHOUT_MODEL = {"CloudSSO TagResources", "CloudSSO UntagResources"}


@pytest.fixture(scope="module")
def declared() -> list[Declared]:
    return everything()


def test_every_parameter_that_is_read_is_a_field_of_the_request_model(
    declared: list[Declared], evidence: Evidence
) -> None:
    unknown, unread, without = {}, [], set()
    for each in declared:
        known = request_names(each.version, each.action)
        if known is None:
            without.add(f"{each.product} {each.action}")
            continue
        if strange := each.reads - known:
            unknown[each.action] = strange
        if left := sorted(known - each.reads):
            unread.append((each.product, each.action, ", ".join(f"`{name}`" for name in left)))
    assert unknown == {}
    assert without == WITHOUT_MODEL
    evidence.publish("models", written(declared, unread))


def test_every_parameter_in_the_source_was_seen_to_be_read(declared: list[Declared]) -> None:
    read = {name.partition(".")[0] for each in declared for name in each.reads}
    assert names_in_the_source() <= read


def test_every_field_of_every_answer_is_one_of_the_response_model(declared: list[Declared]) -> None:
    strange = {
        place
        for each in declared
        if f"{each.product} {each.action}" not in WITHOUT_MODEL
        for place in strange_fields(each.version, each.action, {"body": {**each.answer, "RequestId": "R"}})
    }
    assert strange == set()


def test_function_compute_reads_what_the_request_models_have() -> None:
    assert named(api3._AsyncConfigInput) <= wire_fields(fc.PutAsyncInvokeConfigInput).keys()
    assert named(api3._Destinations) <= wire_fields(fc.DestinationConfig).keys()
    assert named(api3._Destination) <= wire_fields(fc.Destination).keys()
    assert named(tasks._Given) <= wire_fields(fc.ListAsyncTasksRequest).keys()


def test_function_compute_answers_what_the_response_models_have() -> None:
    config = replace(AsyncConfig(), on_success="acs:x", on_failure="acs:y", created=NOON, modified=NOON)
    answers = {
        "GetAsyncTask": tasks.task_json(TASK, PLACE, payload=True),
        "ListAsyncTasks": tasks.TaskQuery.of({"limit": "1", "includePayload": "true"}).page([TASK, TASK], PLACE),
        "GetAsyncInvokeConfig": api3._config_json(config, Target("f"), PLACE),
        "PutAsyncInvokeConfig": api3._config_json(config, Target("f"), PLACE),
    }
    assert {place for action, body in answers.items() for place in strange_fields(FC, action, {"body": body})} == set()


def test_a_field_or_a_type_that_the_model_does_not_have_is_found() -> None:
    body = {"User": {"UserName": 1, "Tags": [{"Key": "a", "Colour": "red"}], "Age": 3}, "RequestId": "R"}
    assert strange_fields("2021-05-15", "GetUser", {"body": body}) == {
        "GetUser: .User.UserName is no str",
        "GetUser: .User.Tags[].Colour",
        "GetUser: .User.Age",
    }
    assert strange_fields("2021-05-15", "GetUser", {"body": {"User": [], "RequestId": "R"}}) == {
        "GetUser: .User is no object"
    }
    assert strange_fields("2021-05-15", "ListUsers", {"body": {"Users": {}, "TotalCounts": True}}) == {
        "ListUsers: .Users is no list",
        "ListUsers: .TotalCounts is no int",
    }


def named(struct: type[msgspec.Struct]) -> set[str]:
    """Return the names on the wire of what is read into a struct."""
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def written(declared: list[Declared], unread: list[tuple[str, str, str]]) -> str:
    """Return the section of docs/evidence.md."""
    count = sum(len(each.reads) for each in declared)
    text = (
        f"{len(declared)} actions of CloudSSO and KMS read {count} parameters. "
        f"{' and '.join(sorted(WITHOUT_MODEL))} are known from\nTerraform's provider only. "
        "The models also have, and the loopback cloud ignores:"
    )
    return f"{text}\n\n{Evidence.table(['Service', 'Action', 'Parameters'], unread)}"

"""`aliyun ros`: the stack of docs/stack.json, carried out on the loopback cloud.

Source: the metadata of the aliyun CLI for ROS (names of parameters), and the pages of the four calls.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping

from tests.localcloud.server import ACCOUNT_ID, FC_REGION
from tests.runbook.tools import Answer, refuse
from tests.runbook.world import Stacked, World
from tests.stack.evaluation import create
from tests.stack.template import PARAMETERS, STACK

KNOWN = {
    "CreateStack": {"RegionId", "StackName", "TimeoutInMinutes", "TemplateBody"},
    "GetStack": {"RegionId", "StackId"},
    "ListStacks": {"RegionId", "StackName.1"},
    "UpdateStack": {"RegionId", "StackId", "UsePreviousParameters", "TemplateBody"},
    "DeleteStack": {"RegionId", "StackId"},
}
_PARAMETER = re.compile(r"Parameters\.(\d+)\.Parameter(Key|Value)")


def call(world: World, action: str, given: Mapping[str, str]) -> Answer:
    """Carry out one call."""
    if action not in KNOWN:
        refuse(f"aliyun ros {action} is not known; known are {', '.join(KNOWN)}")
    numbered = {name for name in given if _PARAMETER.fullmatch(name)}
    strange = given.keys() - KNOWN[action] - (numbered if action in ("CreateStack", "UpdateStack") else set())
    if strange:
        refuse(f"aliyun ros {action} has no parameters {sorted(strange)}")
    lacking = KNOWN[action] - given.keys() - {"TimeoutInMinutes", "UsePreviousParameters", "StackName.1"}
    if lacking:
        refuse(f"aliyun ros {action} lacks {sorted(lacking)}")
    if given["RegionId"] != FC_REGION:
        refuse(f"the stack is in {FC_REGION}, and RegionId is {given['RegionId']}")
    if json.loads(given.get("TemplateBody", "null")) not in (None, json.loads(STACK.read_text(encoding="utf-8"))):
        refuse("TemplateBody is not docs/stack.json")
    return _answer(world, action, given, {each: given[each] for each in numbered})


def _answer(world: World, action: str, given: Mapping[str, str], numbered: Mapping[str, str]) -> Answer:
    if action == "CreateStack":
        return _created(world, given["StackName"], _pairs(numbered))
    if action == "ListStacks":
        wanted = given.get("StackName.1")
        shown = [_shown(key, each) for key, each in world.stacks.items() if wanted in (None, each.name)]
        return _json({"TotalCount": len(shown), "PageNumber": 1, "PageSize": 10, "Stacks": shown})
    stacked = world.stacks.get(given["StackId"])
    if stacked is None:
        return Answer(complained="ERROR: SDK.ServerError\nErrorCode: StackNotFound\n", status=1)
    if action == "GetStack":
        return _json(_shown(given["StackId"], stacked))
    if action == "UpdateStack":
        before = stacked.parameters if given.get("UsePreviousParameters") == "true" else {}
        _make(world, stacked, {**before, **_pairs(numbered)}, "UPDATE_COMPLETE")
    else:
        stacked.status = "DELETE_COMPLETE"
    return _json({"StackId": given["StackId"]})


def _created(world: World, name: str, parameters: dict[str, str]) -> Answer:
    if any(each.name == name and each.status != "DELETE_COMPLETE" for each in world.stacks.values()):
        return Answer(complained="ERROR: SDK.ServerError\nErrorCode: StackExists\n", status=1)
    made = create(ACCOUNT_ID, FC_REGION, **parameters)
    stacked = Stacked(name, parameters, made, "CREATE_COMPLETE")
    stack_id = str(uuid.uuid4())
    world.stacks[stack_id] = stacked
    _make(world, stacked, parameters, "CREATE_COMPLETE")
    return _json({"StackId": stack_id})


def _make(world: World, stacked: Stacked, parameters: dict[str, str], status: str) -> None:
    stacked.made, stacked.parameters, stacked.status = create(ACCOUNT_ID, FC_REGION, **parameters), parameters, status
    for queue in stacked.made.queues:
        world.cloud.smq.create_queue(queue)
    for topic in stacked.made.topics:
        world.cloud.smq.create_topic(topic)
    for name, documents in stacked.made.roles.items():
        world.cloud.fc.add_role(name, *documents)


def _shown(stack_id: str, stacked: Stacked) -> dict[str, object]:
    named = {name: stacked.parameters.get(name, PARAMETERS[name].get("Default")) for name in PARAMETERS}
    listed = [{"ParameterKey": name, "ParameterValue": value} for name, value in named.items()]
    return {"StackId": stack_id, "StackName": stacked.name, "Status": stacked.status, "Parameters": listed}


def _pairs(numbered: Mapping[str, str]) -> dict[str, str]:
    """Return the stack's parameters from `Parameters.1.ParameterKey` and so on, which come in pairs, without a gap."""
    count = len(numbered) // 2
    wanted = {f"Parameters.{number}.Parameter{part}" for number in range(1, count + 1) for part in ("Key", "Value")}
    if wanted != set(numbered):
        refuse(f"the stack's parameters are numbered {sorted(numbered)}")
    key, value = "Parameters.{}.ParameterKey", "Parameters.{}.ParameterValue"
    return {numbered[key.format(each)]: numbered[value.format(each)] for each in range(1, count + 1)}


def _json(document: object) -> Answer:
    return Answer(json.dumps(document, indent="\t") + "\n")

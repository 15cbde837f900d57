"""docs/stack.json as ROS would make it: the roles with their policies, the queues and the topic, by name.

Whoever deploys s.yaml to the loopback cloud gives it these, so that it runs with exactly the permissions and queues
that a deployment has.

Source: the ROS pages "Parameters", "Fn::Sub" and "Pseudo parameters".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.stack.template import STACK

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Stack:
    """What a stack holds, of the kinds that the loopback cloud knows."""

    roles: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # the policy documents of each
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)  # the document of each that people may be given
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)  # the attributes of each
    topics: list[str] = field(default_factory=list)


def create(account_id: str, region: str, **parameters: str) -> Stack:
    """Make the stack in a region of an account; a parameter that the template does not know, or misses, is refused."""
    template = json.loads(STACK.read_text(encoding="utf-8"))
    pseudo = {"ALIYUN::TenantId": account_id, "ALIYUN::Region": region}
    names = {**_values(template["Parameters"], parameters), **pseudo}
    stack = Stack()
    for resource in template["Resources"].values():
        properties = _evaluated(resource["Properties"], names)
        kind = resource["Type"]
        if kind == "ALIYUN::RAM::Role":
            stack.roles[properties["RoleName"]] = [policy["PolicyDocument"] for policy in properties["Policies"]]
        elif kind == "ALIYUN::RAM::ManagedPolicy":
            stack.policies[properties["PolicyName"]] = properties["PolicyDocument"]
        elif kind == "ALIYUN::MNS::Queue":
            stack.queues[properties.pop("QueueName")] = properties
        elif kind == "ALIYUN::MNS::Topic":
            stack.topics.append(properties["TopicName"])
    return stack


def _values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    unknown = given.keys() - declared.keys()
    assert not unknown, f"the stack has no parameters {sorted(unknown)}"
    values = {name: given.get(name, one.get("Default")) for name, one in declared.items()}
    for name, value in values.items():
        assert value is not None, f"{name} has no default"
        assert re.fullmatch(declared[name].get("AllowedPattern", ".*"), value), f"{name} is {value!r}"
        assert value in declared[name].get("AllowedValues", [value]), f"{name} is {value!r}"
    return values


def _evaluated(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, list):
        return [_evaluated(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return names[value["Ref"]]
    if value.keys() == {"Fn::Sub"}:
        return _VARIABLE.sub(lambda found: names[found[1]], value["Fn::Sub"])
    return {key: _evaluated(inner, names) for key, inner in value.items()}

"""`aliyun`: a command of the CLI as the RPC call that it makes, sent to the loopback cloud by the official SDK.

Names of actions and parameters are those of the SDKs' own request models. What the SDK lacks needs `--force` and
`--version`, as the CLI does for what its metadata lacks. Sources: the CLI's source (openapi/commando.go,
openapi/force_rpc.go, config/flags.go) and its page "Force a call of an API operation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from darabonba.exceptions import DaraException

from tests.conformance.sdk_models import request_names
from tests.estate import REGIONS, VERSIONS
from tests.installation import PREFIX
from tests.localcloud.server import ACCOUNT_ID, FC_REGION
from tests.runbook import ros
from tests.runbook.tools import Answer, Asked, flags, refuse
from tests.runbook.world import World

# What neither the SDK nor the CLI's metadata has; known from the official Terraform provider.
FORCED = {
    ("cloudsso", "TagResources"): {"DirectoryId", "ResourceType", "ResourceId.N", "Tag.N.Key", "Tag.N.Value"},
    ("cloudsso", "UntagResources"): {"DirectoryId", "ResourceType", "ResourceId.N", "TagKey.N"},
}
# Products that the loopback cloud lacks, and what of them the documents use: looked at for their form only.
FORM_ONLY: dict[tuple[str, str], set[str]] = {
    ("cms", "DescribeMetricLast"): {"RegionId", "Namespace", "MetricName", "Dimensions"},
    ("cms", "PutResourceMetricRule"): {
        "RegionId",
        "RuleId",
        "RuleName",
        "Namespace",
        "MetricName",
        "Resources",
        "ContactGroups",
        "Period",
        "Interval",
        "SilenceTime",
        "NoDataPolicy",
        "Escalations.Critical.Statistics",
        "Escalations.Critical.ComparisonOperator",
        "Escalations.Critical.Threshold",
        "Escalations.Critical.Times",
    },
    ("mns-open", "Subscribe"): {
        "RegionId",
        "TopicName",
        "SubscriptionName",
        "PushType",
        "Endpoint",
        "NotifyContentFormat",
    },
}
# Calls of products that it has, and which it does not carry out: their parameters are checked, and nothing is sent.
UNSENT = {("cloudsso", "ListAccessAssignments"), ("cloudsso", "DeleteAccessAssignment")}
# Who made a call, as ActionTrail tells; sources: the pages of LookupEvents and of its LookupAttribute.
LOOK_UP = {"RegionId", "LookupAttribute.1.Key", "LookupAttribute.1.Value"}
EVENTS = {"DeleteUser", "PutSecretValue", "SetExternalSAMLIdentityProvider", "SetPasswordPolicy"}
_BARE, _SEVERAL = {"force"}, {"waiter"}
_GLOBAL = {"force", "version", "waiter", "region"}
_WAITER = re.compile(r"(expr|to|timeout|interval)=.+")


class Aliyun:
    """The tool, for one account."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, asked: Asked) -> Answer:
        """Carry out one command, and let everything happen that follows from it."""
        product, action, *rest = [*asked.arguments, "", ""]
        given = flags([each for each in rest if each], _BARE, _SEVERAL)
        parameters = {name: values[0] for name, values in given.items() if name not in _GLOBAL}
        if not all(_WAITER.fullmatch(each) for each in given.get("waiter", [])):
            refuse(f"--waiter {given['waiter']} is not understood")
        answer = self._called(product, action, given, parameters)
        self._world.settle()
        return answer

    def _called(self, product: str, action: str, given: Mapping[str, list[str]], parameters: dict[str, str]) -> Answer:
        if (product, action) in FORM_ONLY:
            strange = given.keys() - FORM_ONLY[product, action]
            if strange or parameters["RegionId"] != FC_REGION:
                refuse(f"aliyun {product} {action} has no parameters {sorted(strange)}, or is for another region")
            return self._measured(parameters) if action == "DescribeMetricLast" else Answer()
        if (product, action) == ("actiontrail", "LookupEvents"):
            return self._looked_up(given, parameters)
        if product == "ros":
            return ros.call(self._world, action, parameters)
        if product not in VERSIONS:
            refuse(f"aliyun {product} {action}: the product is not known")
        self._check(product, action, given, parameters)
        return Answer() if (product, action) in UNSENT else self._sent(product, action, parameters)

    @staticmethod
    def _check(product: str, action: str, given: Mapping[str, list[str]], parameters: Mapping[str, str]) -> None:
        forced = FORCED.get((product, action))
        known = request_names(VERSIONS[product], action) if forced is None else forced
        if known is None:
            refuse(f"aliyun {product} {action}: the official SDK has no such action")
        if forced is not None and (given.get("version") != [VERSIONS[product]] or "force" not in given):
            refuse(f"aliyun {product} {action} needs --force --version {VERSIONS[product]}: the CLI does not know it")
        if forced is None and given.keys() & {"force", "version"}:
            refuse(f"aliyun {product} {action} needs neither --force nor --version")
        asked = {re.sub(r"\.\d+(?=\.|$)", ".N", name) for name in parameters} - {"RegionId"}
        if strange := asked - known:
            refuse(f"aliyun {product} {action} has no parameters {sorted(strange)}; it has {sorted(known)}")
        region = parameters.get("RegionId") or "".join(given.get("region", []))
        if region != REGIONS[product]:
            refuse(f"aliyun {product} {action} goes to region {region!r}; what it is about is in {REGIONS[product]}")

    def _sent(self, product: str, action: str, parameters: Mapping[str, str]) -> Answer:
        query = {name: value for name, value in parameters.items() if name != "RegionId"}
        try:
            answer = self._world.administer(product, action, query)
        except DaraException as error:
            said = f"ERROR: SDK.ServerError\nErrorCode: {error.code}\nMessage: {error.message}\n"
            return Answer(complained=said, status=1)
        return Answer(json.dumps(answer, indent="\t", sort_keys=True) + "\n")

    @staticmethod
    def _looked_up(given: Mapping[str, list[str]], parameters: Mapping[str, str]) -> Answer:
        """Return who made a call, as if somebody had; events are in the region of what was called."""
        if given.keys() != LOOK_UP or parameters["LookupAttribute.1.Key"] != "EventName":
            refuse(f"aliyun actiontrail LookupEvents is not known with {sorted(parameters.items())}")
        name = parameters["LookupAttribute.1.Value"]
        region = REGIONS["kms" if name == "PutSecretValue" else "cloudsso"]
        if name not in EVENTS or parameters["RegionId"] != region:
            refuse(f"{name} is no call that the documents ask about, or is not recorded in {parameters['RegionId']}")
        who = {"type": "ram-user", "accountId": ACCOUNT_ID, "principalId": "2000000000000001", "userName": "mallory"}
        event = {"eventName": name, "eventTime": "2026-01-15T08:00:00Z", "userIdentity": who, "resourceName": "x"}
        return Answer(json.dumps({"RequestId": "R", "Events": [event]}, indent="\t") + "\n")

    def _measured(self, parameters: Mapping[str, str]) -> Answer:
        """Return how long a queue is, as CloudMonitor does: what it knows is text within text."""
        (where,) = json.loads(parameters["Dimensions"])
        if (parameters["Namespace"], parameters["MetricName"]) != ("acs_mns_new", "ActiveMessages"):
            refuse(f"{parameters['Namespace']} {parameters['MetricName']} is no metric that the documents use")
        if where.keys() != {"region", "queue"} or where["region"] != FC_REGION:
            refuse(f"{where} is no queue's dimensions in {FC_REGION}")
        length = len(self._world.letters(where["queue"].removeprefix(f"{PREFIX}-")))
        point = {"timestamp": 0, "userId": ACCOUNT_ID, **where, "Average": length, "Maximum": length, "Minimum": length}
        return Answer(json.dumps({"Code": "200", "Datapoints": json.dumps([point])}, indent="\t") + "\n")

"""s.yaml, policy.json, the stack and requirements.txt as data: the tools that read them let much pass."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from croniter import croniter

from shared.bootstrap import RESERVE
from shared.rotation import PUBLISH_BY
from shared.settings import ScanSettings, Settings, SharedSettings, StatusSettings
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.props import EventBridgeConfig
from tests.package import target as package
from tests.package.__main__ import PACKAGE
from tests.package.build import CODE, PACKAGES
from tests.stack import template as stack
from tests.stack.evaluation import Stack, create

ROOT = Path(__file__).parents[2]
FUNCTIONS = [path.parent.name for path in sorted(ROOT.glob("functions/*/index.py"))]
DEPLOYMENT = yaml.safe_load((ROOT / "s.yaml").read_text(encoding="utf-8"))
RESOURCES: dict[str, dict[str, Any]] = DEPLOYMENT["resources"]
RESOURCE = pytest.mark.parametrize("name", RESOURCES)
TRIGGERS = [(name, trigger) for name in RESOURCES for trigger in RESOURCES[name]["props"]["triggers"]]
TRIGGER = pytest.mark.parametrize(
    ("name", "trigger"), TRIGGERS, ids=[f"{name}/{one['triggerName']}" for name, one in TRIGGERS]
)
RULES = json.loads((ROOT / "functions" / "reset_password" / "rules.json").read_text(encoding="utf-8"))["Rules"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PINS = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text(encoding="utf-8"))

ACCOUNT = "1510000000000001"
EVENTBRIDGE_WAITS = 300  # seconds, for a function's answer
# Set by s.yaml itself; every other variable is taken from the variable of its own name.
FIXED = {
    "PYTHONPATH": "/code/python",
    "ROTATION_FUNCTION": "${resources.reset_password.props.functionName}",
}
DEPLOYED_FOR_PYTHON = {"PYTHONPATH"}
# Where EventBridge sends what it could not deliver.
DEAD_LETTERS = {
    "alerts": ":/queues/${vars.prefix}-dead-letters",
    "requests": ":/queues/${vars.prefix}-dead-letters",
    "redrive": ":/queues/${vars.prefix}-${env('REDRIVE_TO', 'failed-redrives')}",
}
GIVEN = {"CLOUDSSO_DIRECTORY_ID": "d-1", "CLOUDSSO_REGION": "cn-shanghai", "ROTATION_FUNCTION": "rotate"}
SETTINGS: dict[str, type[SharedSettings]] = {
    "reset_password": Settings,
    "scan_expiring": ScanSettings,
    "rotation_status": StatusSettings,
}
ACTIONS = {
    "reset_password": {
        "cloudsso:GetUser",
        "cloudsso:ListUsers",
        "cloudsso:ResetUserPassword",
        "cloudsso:GetExternalSAMLIdentityProvider",
        "cloudsso:GetPasswordPolicy",
        "kms:CreateSecret",
        "kms:DescribeSecret",
        "kms:ListSecretVersionIds",
        "kms:PutSecretValue",
        "kms:TagResource",
        "kms:UpdateSecretVersionStage",
        "kms:GenerateDataKey",
    },
    "scan_expiring": {
        "cloudsso:ListUsers",
        "cloudsso:GetExternalSAMLIdentityProvider",
        "cloudsso:GetPasswordPolicy",
        "kms:ListSecrets",
        "fc:InvokeFunction",
    },
    "rotation_status": {
        "cloudsso:ListUsers",
        "cloudsso:GetExternalSAMLIdentityProvider",
        "cloudsso:GetPasswordPolicy",
        "kms:ListSecrets",
        "kms:ListSecretVersionIds",
    },
}
PLACEHOLDERS = {
    "reset_password": {"ACCOUNT_ID", "CLOUDSSO_DIRECTORY_ID", "CLOUDSSO_REGION", "KMS_REGION", "KMS_KEY_ID"},
    "scan_expiring": {
        "ACCOUNT_ID",
        "CLOUDSSO_DIRECTORY_ID",
        "CLOUDSSO_REGION",
        "FC_REGION",
        "KMS_REGION",
        "ROTATOR_NAME",
    },
    "rotation_status": {"ACCOUNT_ID", "CLOUDSSO_DIRECTORY_ID", "CLOUDSSO_REGION", "KMS_REGION"},
}
_ARN = re.compile(r"acs:(cloudsso|kms|fc):\$\{(CLOUDSSO|KMS|FC)_REGION\}:\$\{ACCOUNT_ID\}:[a-z]+(/.+)?")


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """Return s.yaml as it is deployed where the README's commands are followed."""
    return Manifest.read(ROOT / "s.yaml", exports(), ACCOUNT)


def exports() -> dict[str, str]:
    """Return what the README exports."""
    lines = re.findall(r"^ *export (.+)$", README, re.MULTILINE)
    pairs = [pair.partition("=") for line in lines for pair in shlex.split(line, comments=True)]
    return {name: value for name, _, value in pairs}


def props(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["props"]
    return found


def called(handler: str) -> Callable[..., object]:
    """Return what a handler's text names, as the runtime would find it."""
    module, _, function = handler.rpartition(".")
    found: Callable[..., object] = getattr(import_module(module.replace("/", ".")), function)
    return found


def variables(name: str) -> dict[str, str]:
    found: dict[str, str] = props(name)["environmentVariables"]
    return found


class Recorder(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, **variables: str) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict's
        self.asked.add(name)
        return super().get(name, default)


# --------------------------------------------------------------------------------------------------------------- s.yaml


def test_the_deployment_has_the_known_keys_only() -> None:
    assert DEPLOYMENT.keys() == {"edition", "name", "access", "vars", "actions", "resources"}
    assert DEPLOYMENT["edition"] == "3.0.0"


def test_the_tool_understands_every_key_and_value(manifest: Manifest) -> None:
    """It accepts any key, misspelt ones too; the loopback cloud's own reading of it does not."""
    assert [function.resource for function in manifest.functions] == list(RESOURCES)
    assert manifest.region == "cn-shanghai"


def test_every_function_is_deployed_and_every_resource_is_a_function() -> None:
    assert sorted(RESOURCES) == FUNCTIONS


def test_the_package_is_built_for_the_runtime_before_either_function_is_deployed() -> None:
    """An action of the whole file runs also where one function is named: `s reset_password deploy`."""
    versions = {each["props"]["runtime"].removeprefix("python") for each in RESOURCES.values()}
    assert versions == {package.VERSIONS[0]}
    built = {"run": f"make package PYTHON={package.VERSIONS[0]}", "path": "./"}
    assert DEPLOYMENT["actions"] == {"pre-deploy": [built]}


@RESOURCE
def test_what_is_deployed_is_the_package(name: str, manifest: Manifest) -> None:
    (function,) = [each for each in manifest.functions if each.resource == name]
    assert function.code == PACKAGE
    assert variables(name)["PYTHONPATH"] == f"{CODE}/{PACKAGES}"


@RESOURCE
def test_the_runtime_is_one_that_carries_the_credentials_in_its_context(name: str) -> None:
    assert props(name)["runtime"] == "python3.10"
    assert props(name)["instanceLifecycleConfig"]["initializer"]["timeout"] <= 300


def test_a_rotation_has_the_time_that_it_needs_and_eventbridge_waits_for_it() -> None:
    timeout = props("reset_password")["timeout"]
    assert timeout >= (PUBLISH_BY + RESERVE).total_seconds() >= 60
    assert timeout < EVENTBRIDGE_WAITS


def test_a_scan_is_asynchronous_and_has_minutes() -> None:
    assert 600 <= props("scan_expiring")["timeout"] <= 86400
    assert [one["triggerType"] for one in props("scan_expiring")["triggers"]] == ["timer"]


@RESOURCE
def test_processor_memory_and_disk_are_of_a_size_that_function_compute_sells(name: str) -> None:
    cpu, memory = props(name)["cpu"], props(name)["memorySize"]
    assert 0.05 <= cpu <= 16
    assert memory % 64 == 0
    assert 128 <= memory <= 32768
    assert 1 <= memory / 1024 / cpu <= 4
    assert props(name)["diskSize"] in (512, 10240)


@RESOURCE
def test_handler_and_initializer_exist(name: str) -> None:
    folder = f"functions/{name}/index"
    initializer = props(name)["instanceLifecycleConfig"]["initializer"]["handler"]
    assert props(name)["handler"] == f"{folder}.handler"
    assert initializer == f"{folder}.initialize"
    assert called(props(name)["handler"]).__code__.co_argcount == 2
    assert called(initializer).__code__.co_argcount == 1


@RESOURCE
def test_the_environment_holds_what_the_settings_read_and_nothing_else(name: str) -> None:
    environment = Recorder(**GIVEN)
    SETTINGS[name].load(environment, "cn-shanghai")
    assert len(environment.asked) > 10
    assert variables(name).keys() == environment.asked | DEPLOYED_FOR_PYTHON


@RESOURCE
def test_the_environments_defaults_are_settings_that_make_sense(name: str) -> None:
    resolved = {key: resolve(str(value), GIVEN) for key, value in variables(name).items() if key not in FIXED}
    settings = SETTINGS[name].load({"ROTATION_FUNCTION": "rotate", **resolved}, "cn-shanghai")
    assert settings == SETTINGS[name].load(GIVEN, "cn-shanghai")  # s.yaml's defaults are the code's


@RESOURCE
def test_no_variable_is_one_that_function_compute_takes_away(name: str) -> None:
    assert not [key for key in variables(name) if key.upper().startswith(("FC_", "ALIBABA_CLOUD_"))]
    assert all(isinstance(value, str) for value in variables(name).values())


@RESOURCE
def test_a_variable_is_taken_from_the_variable_of_its_own_name(name: str) -> None:
    for key, value in variables(name).items():
        assert value == FIXED.get(key) or re.fullmatch(rf"\$\{{env\('{key}'(, '[A-Za-z0-9]*')?\)\}}", value)


@RESOURCE
def test_failed_events_are_delivered_again_and_the_role_is_the_functions_own(name: str) -> None:
    retries = props(name)["asyncInvokeConfig"]
    assert 1 <= retries["maxAsyncRetryAttempts"] <= 8
    assert 3600 <= retries["maxAsyncEventAgeInSeconds"] <= 86400
    assert re.fullmatch(r"acs:ram::\$\{config\('AccountID'\)\}:role/\S+", props(name)["role"])


def test_the_scan_hands_rotations_on_by_task_ids() -> None:
    assert variables("scan_expiring")["ROTATION_FUNCTION"] == FIXED["ROTATION_FUNCTION"]
    assert props("reset_password")["asyncInvokeConfig"]["asyncTask"] is True


def resolve(value: str, given: dict[str, str]) -> str:
    """Return what Serverless Devs makes of `${env('X', 'default')}`."""
    return re.sub(r"\$\{env\('(\w+)'(?:, '([^']*)')?\)\}", lambda found: given.get(found[1]) or found[2] or "", value)


# ------------------------------------------------------------------------------------------------------------- triggers


def config(trigger: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = trigger["triggerConfig"]
    return found


def named(name: str) -> dict[str, Any]:
    """Return the configuration of a trigger of the function that rotates."""
    (found,) = [config(one) for one in props("reset_password")["triggers"] if one["triggerName"] == name]
    return found


@RESOURCE
def test_an_unchanged_eventbridge_trigger_hides_none_of_another_kind(name: str) -> None:
    kinds = [one["triggerType"] for one in props(name)["triggers"]]
    assert kinds == sorted(kinds, key=lambda kind: kind == "eventbridge")


@TRIGGER
def test_what_eventbridge_cannot_deliver_is_kept_and_holds_up_nobody(name: str, trigger: dict[str, Any]) -> None:
    if trigger["triggerType"] != "eventbridge":
        assert "onFailure" in props(name)["asyncInvokeConfig"]["destinationConfig"]
        return
    options = config(trigger)["runOptions"]
    assert options["errorsTolerance"] == "ALL"
    assert options["deadLetterQueue"]["Arn"].endswith(DEAD_LETTERS[trigger["triggerName"]])
    assert options["retryStrategy"]["PushRetryStrategy"] == "BACKOFF_RETRY"
    assert options["mode"] == config(trigger)["eventSinkConfig"]["deliveryOption"]["mode"]


def test_dead_letters_are_fed_back_one_at_a_time_while_somebody_says_so_and_never_to_where_they_came_from() -> None:
    """Each delivery that fails wraps a message once more: one that went round would be too large after some rounds."""
    redrive = named("redrive")
    parameters = redrive["eventSourceConfig"]["eventSourceParameters"]["sourceMNSParameters"]
    source = parameters["QueueName"]
    assert redrive["triggerEnable"] == "${json(env('REDRIVE', 'false'))}"  # a text would be true, whatever it says
    assert redrive["asyncInvocationType"] is False
    assert redrive["runOptions"]["batchWindow"] == {"CountBasedWindow": 1, "TimeBasedWindow": 0}
    assert resolve(source, {}) == "${vars.prefix}-dead-letters"
    ends = [resolve(redrive["runOptions"]["deadLetterQueue"]["Arn"], {}).rpartition("/")[2], resolve(source, {})]
    assert ends == ["${vars.prefix}-failed-redrives", "${vars.prefix}-dead-letters"]


@pytest.mark.parametrize(("said", "enabled"), [("", False), ("false", False), ("true", True)])
def test_the_trigger_that_feeds_back_is_on_where_it_is_exported_and_off_elsewhere(said: str, *, enabled: bool) -> None:
    """Serverless Devs 3.1.10 was given the same: `s preview` shows true or false, and no text."""
    (function, *_) = Manifest.read(ROOT / "s.yaml", {**exports(), "REDRIVE": said}, ACCOUNT).functions
    configs = {each.name: each.config for each in function.triggers}
    redrive, requests = configs["redrive"], configs["requests"]
    assert isinstance(redrive, EventBridgeConfig)
    assert isinstance(requests, EventBridgeConfig)
    assert (redrive.trigger_enable, requests.trigger_enable) == (enabled, True)


def test_what_feeds_back_is_last_so_that_it_hides_no_other_trigger() -> None:
    assert [one["triggerName"] for one in props("reset_password")["triggers"]] == ["alerts", "requests", "redrive"]


def test_a_message_leaves_its_queue_when_it_is_done_with_and_a_batch_is_rotated_at_once() -> None:
    assert named("requests")["asyncInvocationType"] is False
    window = named("requests")["runOptions"]["batchWindow"]
    assert window["CountBasedWindow"] <= Settings.load(GIVEN, "cn-shanghai").max_parallel
    assert 0 <= window["TimeBasedWindow"] <= 15


def test_alerts_are_stored_by_function_compute_and_those_that_come_are_those_that_a_rule_knows() -> None:
    assert named("alerts")["asyncInvocationType"] is True
    pattern = json.loads(named("alerts")["eventRuleFilterPattern"])
    assert pattern.keys() == {"type"}
    for wanted in pattern["type"]:
        rules = [rule["Name"] for rule in RULES if wanted["prefix"] in rule["When"] and "UserName" in rule]
        assert len(rules) == 1, wanted


def test_the_schedule_is_six_fields_in_a_zone_that_is_named() -> None:
    (timer,) = props("scan_expiring")["triggers"]
    schedule = resolve(config(timer)["cronExpression"], {})
    zone, _, fields = schedule.partition(" ")
    assert re.fullmatch(r"CRON_TZ=[A-Z][A-Za-z_]+/[A-Z][A-Za-z_]+", zone)
    assert len(fields.split()) == 6
    assert croniter.is_valid(fields, second_at_beginning=True)
    assert json.loads(config(timer)["payload"]) == {}


# ---------------------------------------------------------------------------------------------------------- policy.json


@pytest.fixture(params=sorted(ACTIONS))
def policy(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return each function's RAM policy, as it is written."""
    document: dict[str, Any] = json.loads(policy_text(request.param))
    return document


def policy_text(function: str) -> str:
    return (ROOT / "functions" / function / "policy.json").read_text(encoding="utf-8")


def listed(one_or_more: str | list[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policy_allows_the_known_actions_only_each_once(function: str) -> None:
    policy = json.loads(policy_text(function))
    assert policy.keys() == {"Version", "Statement"}
    assert policy["Version"] == "1"
    actions = [action for statement in policy["Statement"] for action in listed(statement["Action"])]
    assert sorted(actions) == sorted(ACTIONS[function])
    assert not any("*" in action for action in actions)


def test_a_policy_only_allows_and_each_action_only_where_it_belongs(policy: dict[str, Any]) -> None:
    for statement in policy["Statement"]:
        assert statement.keys() == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        services = {action.partition(":")[0] for action in listed(statement["Action"])}
        for resource in listed(statement["Resource"]):
            match = _ARN.fullmatch(resource)
            assert match, resource
            assert services == {match[1]}
            assert match[1].upper() == match[2]


def test_no_resource_is_everything(policy: dict[str, Any]) -> None:
    """KMS asks for both on the container of all secrets; all else is this directory's, this key's, this function's."""
    own = ("/${CLOUDSSO_DIRECTORY_ID}", ":key/${KMS_KEY_ID}", ":functions/${ROTATOR_NAME}-reset-password")
    for statement in policy["Statement"]:
        if statement["Action"] in ("kms:CreateSecret", "kms:ListSecrets"):
            continue
        for resource in listed(statement["Resource"]):
            assert any(one in resource for one in own)
            assert resource != "*"
            assert resource.count("*") <= 1
            assert "*" not in resource[:-1]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policys_placeholders_are_the_known_ones(function: str) -> None:
    found = set(re.findall(r"\$\{(\w+)\}", policy_text(function)))
    assert found == PLACEHOLDERS[function]
    filled = Template(policy_text(function)).substitute(dict.fromkeys(found, "x"))
    assert "$" not in filled
    assert json.loads(filled)["Version"] == "1"


# ---------------------------------------------------------------------------------------------------- docs/stack.json


@pytest.fixture(scope="module")
def made() -> Stack:
    """Return the stack as the README makes it."""
    return create(
        ACCOUNT,
        "cn-shanghai",
        CloudSSODirectoryId="d-00fc2p61example",
        CloudSSORegion="cn-shanghai",
        KmsRegion="cn-hangzhou",
        KmsKeyId="key-example",
        LogProject="my-log-project",
    )


def deployed(expression: str) -> str:
    """Return what an expression of s.yaml is where the README's commands are followed."""
    known = {
        "${vars.region}": "cn-shanghai",
        "${vars.prefix}": "cloudsso-rotator",
        "${config('AccountID')}": ACCOUNT,
    }
    for name, value in known.items():
        expression = expression.replace(name, value)
    return expression


def test_the_stack_is_in_step_with_the_policies_and_s_yaml() -> None:
    kept = stack.STACK.read_text(encoding="utf-8")
    assert kept == stack.text(), "make stack writes it anew"


def test_an_expression_that_the_stack_does_not_know_is_refused(tmp_path: Path) -> None:
    text = stack.MANIFEST.read_text(encoding="utf-8").replace("${vars.prefix}-results", "${vars.results}")
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(KeyError, match=r"vars\.results"):
        stack.template(tmp_path / "s.yaml")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_may_do_what_its_function_does_and_what_s_yaml_has_done_in_its_name(made: Stack, function: str) -> None:
    code, platform = made.roles[deployed(props(function)["role"]).rpartition("/")[2]]
    wanted = json.loads(
        Template(policy_text(function)).substitute(
            ACCOUNT_ID=ACCOUNT,
            CLOUDSSO_DIRECTORY_ID="d-00fc2p61example",
            CLOUDSSO_REGION="cn-shanghai",
            FC_REGION="cn-shanghai",
            KMS_REGION="cn-hangzhou",
            KMS_KEY_ID="key-example",
            ROTATOR_NAME="cloudsso-rotator",
        )
    )
    assert grants(code) == grants(wanted)
    destinations = {
        deployed(one["destination"]) for one in props(function)["asyncInvokeConfig"]["destinationConfig"].values()
    }
    log = f"acs:log:cn-shanghai:{ACCOUNT}:project/my-log-project/logstore/cloudsso-rotator"
    assert {resource for _, resource in grants(platform)} == destinations | {log}
    for action, resource in grants(platform):
        service = {"acs:log": "log:PostLogStoreLogs", "/queues": "mns:SendMessage", "/topics": "mns:PublishMessage"}
        assert action in [allowed for mark, allowed in service.items() if mark in resource]
        assert "*" not in resource


def grants(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the pairs of action and resource that a policy allows."""
    assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
    return {
        (action, resource)
        for statement in document["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def test_the_function_that_the_scan_may_invoke_is_the_one_that_is_deployed(made: Stack) -> None:
    (allowed,) = [what for action, what in grants(made.roles["cloudsso-rotator-scan-expiring"][0]) if "fc:" in action]
    name = deployed(props("reset_password")["functionName"])
    assert allowed == f"acs:fc:cn-shanghai:{ACCOUNT}:functions/{name}"


def test_who_may_look_at_the_page_may_do_just_that_with_the_function_that_is_deployed(made: Stack) -> None:
    ((name, policy),) = made.policies.items()
    assert name == "cloudsso-rotator-status-viewers"
    function = deployed(props("rotation_status")["functionName"])
    assert list(grants(policy)) == [("fc:InvokeFunction", f"acs:fc:cn-shanghai:{ACCOUNT}:functions/{function}")]


def test_only_function_compute_may_take_a_role(made: Stack) -> None:
    assert all(name == name.lower() for name in made.roles)  # Serverless Devs writes role ARNs in lower case
    trusts = [one["AssumeRolePolicyDocument"] for one in resources("ALIYUN::RAM::Role")]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["fc.aliyuncs.com"]}}
    assert trusts == len(RESOURCES) * [{"Version": "1", "Statement": [trust]}]


def test_the_queues_topics_and_roles_of_the_stack_are_those_that_s_yaml_names(made: Stack, manifest: Manifest) -> None:
    assert made.queues.keys() == manifest.queues()
    assert set(made.topics) == manifest.topics()
    assert made.roles.keys() == manifest.roles()


def test_a_message_is_kept_for_a_week_and_hidden_while_it_is_being_delivered(made: Stack) -> None:
    assert all(attributes["MessageRetentionPeriod"] == 604800 for attributes in made.queues.values())
    deliveries = 4 * props("reset_password")["timeout"] + 3 * 20
    for delivered in ("requests", "dead-letters", "failed-redrives"):
        assert deliveries <= made.queues[f"cloudsso-rotator-{delivered}"]["VisibilityTimeout"] <= 43200


def test_the_stack_uses_declared_parameters_only_and_every_one() -> None:
    text = stack.text()
    used = set(re.findall(r"\$\{(\w+)\}", text)) | set(re.findall(r'"Ref": "(\w+)"', text))
    assert used == stack.PARAMETERS.keys()
    assert all(re.fullmatch("[A-Za-z0-9]+", name) for name in stack.PARAMETERS)
    assert set(re.findall(r"\$\{(ALIYUN::\w+)\}", text)) == {"ALIYUN::TenantId", "ALIYUN::Region"}


def resources(kind: str) -> list[dict[str, Any]]:
    """Return the properties of the stack's resources of a type."""
    return [one["Properties"] for one in stack.template()["Resources"].values() if one["Type"] == kind]


def test_the_logs_outlive_the_stack() -> None:
    logs = [one for one in stack.template()["Resources"].values() if one["Type"].startswith("ALIYUN::SLS::")]
    assert len(logs) == 3
    assert all(one["DeletionPolicy"] == "Retain" and one["Condition"] == "LogProjectIsNew" for one in logs)


# --------------------------------------------------------------------------------------------------------- the README


def test_the_readmes_command_gives_the_stack_its_parameters() -> None:
    given = set(re.findall(r"--Parameters\.\d+\.ParameterKey (\w+)", README))
    assert {name for name, one in stack.PARAMETERS.items() if "Default" not in one} <= given
    assert given <= stack.PARAMETERS.keys()


def test_the_readme_exports_what_s_yaml_has_no_default_for_and_nothing_that_it_does_not_read() -> None:
    text = (ROOT / "s.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{env\('(\w+)'\)\}", text)) <= exports().keys()
    assert exports().keys() <= set(re.findall(r"env\('(\w+)'", text))


# ----------------------------------------------------------------------------------------------------- requirements.txt


def test_every_requirement_is_pinned_with_hashes_and_comes_from_the_index() -> None:
    header, *pins = PINS
    assert header.startswith("#")
    pins = [pin for pin in pins if not pin.startswith("#")]
    assert len(pins) > 5
    for pin in pins:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[0-9][A-Za-z0-9.!+]*( ; [^\\]+)? \\\n", pin), pin
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", pin)) >= 1


def test_requirements_name_no_index_no_host_and_no_path() -> None:
    text = re.sub(r"#.*", "", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert "==" in text
    assert not re.search(
        r"https?://|file:|--(index-url|extra-index-url|find-links|trusted-host|pre)|(^|\s)-[efir]\b", text
    )
    assert not re.search(r"(^|\s)(\.{0,2}/|/[a-z])", text)
    assert " @ " not in text


def test_everything_asked_for_is_pinned_and_each_line_says_why() -> None:
    pinned = {match[1] for pin in PINS if (match := re.match(r"([a-z0-9._-]+)(\[[^]]*\])?==", pin))}
    for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, why = line.partition("#")
            assert name.strip().partition("[")[0] in pinned
            assert why.strip()

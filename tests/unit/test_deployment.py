"""s.yaml, policy.json, requirements.txt and .fcignore as data: the tools that read them let nearly anything pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from shared.bootstrap import RESERVE
from shared.rotation import PUBLISH_BY
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
FUNCTIONS = [path.parent.name for path in sorted(ROOT.glob("functions/*/index.py"))]
DEPLOYMENT = yaml.safe_load((ROOT / "s.yaml").read_text(encoding="utf-8"))
RESOURCES: dict[str, dict[str, Any]] = DEPLOYMENT["resources"]
RESOURCE = pytest.mark.parametrize("name", RESOURCES)
PINS = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text(encoding="utf-8"))

# Serverless Devs' component fc3 accepts any key, misspelt ones too: what it knows is listed here, and no more of it
# than this project uses. A dict names the keys of an object, a list of types those of a value.
PROPS: dict[str, Any] = {
    "region": str,
    "functionName": str,
    "description": str,
    "runtime": str,
    "code": str,
    "handler": str,
    "cpu": float,
    "memorySize": int,
    "diskSize": int,
    "timeout": int,
    "role": str,
    "instanceLifecycleConfig": {"initializer": {"handler": str, "timeout": int}},
    "logConfig": {
        "project": str,
        "logstore": str,
        "enableRequestMetrics": bool,
        "enableInstanceMetrics": bool,
        "logBeginRule": str,
    },
    "asyncInvokeConfig": {
        "maxAsyncRetryAttempts": int,
        "maxAsyncEventAgeInSeconds": int,
        "destinationConfig": {"onFailure": {"destination": str}},
    },
    "concurrencyConfig": {"reservedConcurrency": int},
    "vpcConfig": {"vpcId": str, "vSwitchIds": list, "securityGroupId": str},
    "internetAccess": bool,
    "environmentVariables": dict,
    "triggers": list,
}
REQUIRED = {"region", "functionName", "runtime", "code", "handler", "timeout", "role"}
# Read, and left out of s.yaml by intent: endpoints are for tests and private networks, and a template that is changed
# takes every user's secret for another; policy.json names the default one.
DEPLOYED_FOR_PYTHON = {"PYTHONPATH"}
ACTIONS = {
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
}
PLACEHOLDERS = {"ACCOUNT_ID", "CLOUDSSO_DIRECTORY_ID", "CLOUDSSO_REGION", "KMS_REGION", "KMS_KEY_ID"}
_ARN = re.compile(r"acs:(cloudsso|kms):\$\{(CLOUDSSO|KMS)_REGION\}:\$\{ACCOUNT_ID\}:[a-z]+(/.+)?")


def props(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["props"]
    return found


def misfits(value: object, shape: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - a table of types and of tables
    """Yield where a value does not have its shape."""
    if not isinstance(shape, dict):
        if type(value) is not shape:
            yield f"{path} is {value!r}"
    elif not isinstance(value, dict):
        yield f"{path} is {value!r}"
    else:
        for key, inner in value.items():
            if key in shape:
                yield from misfits(inner, shape[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown"


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
    assert DEPLOYMENT.keys() == {"edition", "name", "access", "vars", "resources"}
    assert DEPLOYMENT["edition"] == "3.0.0"


def test_every_function_is_deployed_and_every_resource_is_a_function() -> None:
    assert sorted(RESOURCES) == FUNCTIONS


@RESOURCE
def test_a_resource_has_the_known_keys_and_types_only(name: str) -> None:
    assert RESOURCES[name].keys() == {"component", "props"}
    assert RESOURCES[name]["component"] == "fc3"
    assert list(misfits(props(name), PROPS)) == []
    assert props(name).keys() >= REQUIRED


@pytest.mark.parametrize("wrong", [{"timeOut": 280}, {"timeout": "280"}, {"logConfig": {"projet": "x"}}, {"cpu": True}])
def test_a_misspelt_key_or_a_wrong_type_would_be_found(wrong: dict[str, Any]) -> None:
    assert len(list(misfits(wrong, PROPS))) == 1


@RESOURCE
def test_the_runtime_and_its_limits_suit_a_rotation(name: str) -> None:
    assert props(name)["runtime"] == "python3.10"
    assert props(name)["timeout"] == 280
    assert props(name)["timeout"] >= (PUBLISH_BY + RESERVE).total_seconds() >= 60
    assert props(name)["instanceLifecycleConfig"]["initializer"]["timeout"] <= 300


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
    environment = Recorder(CLOUDSSO_DIRECTORY_ID="d-1", CLOUDSSO_REGION="cn-shanghai")
    Settings.load(environment, "cn-shanghai")
    assert len(environment.asked) > 10
    assert variables(name).keys() == environment.asked | DEPLOYED_FOR_PYTHON


@RESOURCE
def test_the_environments_defaults_are_settings_that_make_sense(name: str) -> None:
    given = {"CLOUDSSO_DIRECTORY_ID": "d-1", "CLOUDSSO_REGION": "cn-shanghai"}
    resolved = {key: resolve(str(value), given) for key, value in variables(name).items()}
    settings = Settings.load(resolved, "cn-shanghai")
    assert settings == Settings.load(given, "cn-shanghai")  # s.yaml's defaults are the code's


@RESOURCE
def test_no_variable_is_one_that_function_compute_takes_away(name: str) -> None:
    assert not [key for key in variables(name) if key.upper().startswith(("FC_", "ALIBABA_CLOUD_"))]
    assert all(isinstance(value, str) for value in variables(name).values())


@RESOURCE
def test_a_variable_is_taken_from_the_variable_of_its_own_name(name: str) -> None:
    for key, value in variables(name).items():
        assert key in DEPLOYED_FOR_PYTHON or re.fullmatch(rf"\$\{{env\('{key}'(, '[A-Za-z0-9]*')?\)\}}", value)


@RESOURCE
def test_failed_events_are_delivered_again_and_the_role_is_the_functions_own(name: str) -> None:
    retries = props(name)["asyncInvokeConfig"]
    assert 1 <= retries["maxAsyncRetryAttempts"] <= 8
    assert 3600 <= retries["maxAsyncEventAgeInSeconds"] <= 86400
    assert re.fullmatch(r"acs:ram::\$\{config\('AccountID'\)\}:role/\S+", props(name)["role"])


def resolve(value: str, given: dict[str, str]) -> str:
    """Return what Serverless Devs makes of `${env('X', 'default')}`."""
    return re.sub(r"\$\{env\('(\w+)'(?:, '([^']*)')?\)\}", lambda found: given.get(found[1]) or found[2] or "", value)


# ---------------------------------------------------------------------------------------------------------- policy.json


@pytest.fixture(params=FUNCTIONS)
def policy(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return each function's RAM policy, as it is written."""
    document: dict[str, Any] = json.loads(policy_text(request.param))
    return document


def policy_text(function: str) -> str:
    return (ROOT / "functions" / function / "policy.json").read_text(encoding="utf-8")


def listed(one_or_more: str | list[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


def test_a_policy_allows_known_actions_only_each_once(policy: dict[str, Any]) -> None:
    assert policy.keys() == {"Version", "Statement"}
    assert policy["Version"] == "1"
    actions = [action for statement in policy["Statement"] for action in listed(statement["Action"])]
    assert sorted(actions) == sorted(set(actions))
    assert set(actions) <= ACTIONS
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
    """KMS asks for CreateSecret on the container of all secrets; all else is this directory's or this key's."""
    for statement in policy["Statement"]:
        if statement["Action"] == "kms:CreateSecret":
            continue
        for resource in listed(statement["Resource"]):
            assert "${CLOUDSSO_DIRECTORY_ID}" in resource or resource.endswith(":key/${KMS_KEY_ID}")
            assert resource != "*"
            assert resource.count("*") <= 1
            assert "*" not in resource[:-1]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policys_placeholders_are_the_known_ones(function: str) -> None:
    found = set(re.findall(r"\$\{(\w+)\}", policy_text(function)))
    assert found == PLACEHOLDERS
    filled = Template(policy_text(function)).substitute(dict.fromkeys(PLACEHOLDERS, "x"))
    assert "$" not in filled
    assert json.loads(filled)["Version"] == "1"


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


# ------------------------------------------------------------------------------------------------------------ .fcignore


def ignored(path: str) -> bool:
    """Tell whether .fcignore keeps a path out of the package; its lines are matched against every part of a path."""
    lines = (ROOT / ".fcignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")]
    return any(fnmatchcase(part, pattern) for part in Path(path).parts for pattern in patterns)


@pytest.mark.parametrize(
    "path",
    [
        "tests/fakes.py",
        "tests/localcloud/server.py",
        ".git/config",
        ".venv/bin/python",
        ".venv-reader/pyvenv.cfg",
        ".ci/x",
        "events/direct.json",
        "docs/protocol.md",
        "shared/__pycache__/model.cpython-310.pyc",
        "pyproject.toml",
    ],
)
def test_what_only_developers_need_is_not_deployed(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("folder", ["shared", "functions"])
def test_everything_that_runs_is_deployed(folder: str) -> None:
    paths = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".json"}]
    assert len(paths) > 3
    assert not [path for path in paths if ignored(str(path))]
    assert not ignored("python/msgspec/__init__.py")
    assert not ignored("requirements.txt")

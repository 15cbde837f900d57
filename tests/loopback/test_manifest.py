from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.props import EventBridgeConfig, HttpConfig, TimerConfig, TopicConfig
from tests.localcloud.fc.variables import ManifestRefusedError

ROOT = Path(__file__).parents[2]
ACCOUNT = "1510000000000001"
QUEUE = f"acs:mns:cn-shanghai:{ACCOUNT}:/queues"
ENVIRON = {"LOG_PROJECT": "logs", "CLOUDSSO_DIRECTORY_ID": "d-1", "CLOUDSSO_REGION": "cn-shanghai"}


def timer(**config: object) -> dict[str, Any]:
    """Return a timer trigger."""
    return {
        "triggerName": "t",
        "triggerType": "timer",
        "triggerConfig": {"cronExpression": "@every 5m", "enable": True, **config},
    }


def eventbridge(**config: object) -> dict[str, Any]:
    """Return a trigger from a queue."""
    return {
        "triggerName": "q",
        "triggerType": "eventbridge",
        "triggerConfig": {
            "triggerEnable": True,
            "asyncInvocationType": False,
            "eventRuleFilterPattern": "{}",
            "eventSourceConfig": {
                "eventSourceType": "MNS",
                "eventSourceParameters": {"sourceMNSParameters": {"QueueName": "work"}},
            },
            "eventSinkConfig": {"deliveryOption": {}},
            "runOptions": {"mode": "event-streaming"},
            **config,
        },
    }


def topic(arn: str | None = f"acs:mns:cn-shanghai:{ACCOUNT}:/topics/news") -> dict[str, Any]:
    """Return a trigger from a topic."""
    config = {"notifyContentFormat": "STREAM", "notifyStrategy": "BACKOFF_RETRY"}
    return {"triggerName": "n", "triggerType": "mns_topic", "sourceArn": arn, "triggerConfig": config}


def http(**config: object) -> dict[str, Any]:
    """Return an HTTP trigger."""
    known = {"authType": "function", "methods": ["GET"], **config}
    return {"triggerName": "h", "triggerType": "http", "triggerConfig": known}


def props(**more: object) -> dict[str, Any]:
    """Return the props of a function; None takes a key away."""
    known = {"region": "cn-shanghai", "functionName": "f", "runtime": "python3.10", "code": "./", "handler": "a.b"}
    return {key: value for key, value in {**known, **more}.items() if value is not None}


def document(**resources: dict[str, Any]) -> dict[str, Any]:
    """Return a document of functions by their props."""
    listed = {name: {"component": "fc3", "props": each} for name, each in resources.items()}
    return {"edition": "3.0.0", "name": "app", "access": "default", "resources": listed}


def read(tmp_path: Path, content: object, **environ: str) -> Manifest:
    """Read a document, or YAML text as it is."""
    path = tmp_path / "s.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return Manifest.read(path, environ, ACCOUNT)


def filled(tmp_path: Path, value: object, **environ: str) -> object:
    """Return what a text of the environment of a function becomes."""
    content = document(one=props(environmentVariables={"X": value})) | {
        "vars": {"a": "A", "deep": {"b": "B-${vars.a}"}}
    }
    return read(tmp_path, content, **environ).functions[0].props.environment_variables["X"]


# ------------------------------------------------------------------------------------------------- the project's own


def test_the_projects_own_manifest_is_understood() -> None:
    manifest = Manifest.read(ROOT / "s.yaml", ENVIRON, ACCOUNT)
    reset, scan, status = manifest.functions
    assert (reset.name, scan.name) == ("cloudsso-rotator-reset-password", "cloudsso-rotator-scan-expiring")
    assert status.name == "cloudsso-rotator-rotation-status"
    (page,) = [each.config for each in status.triggers if each.name == "page"]
    assert isinstance(page, HttpConfig)
    assert (page.auth_type, page.methods) == ("function", ["GET"])
    assert scan.props.environment_variables["ROTATION_FUNCTION"] == reset.name
    assert reset.props.role == f"acs:ram::{ACCOUNT}:role/cloudsso-rotator-reset-password"
    assert manifest.roles() == {reset.name, scan.name, status.name}
    assert {type(each.config) for function in manifest.functions for each in function.triggers} == {
        EventBridgeConfig,
        HttpConfig,
        TimerConfig,
    }
    assert "cloudsso-rotator-requests" in manifest.queues()
    assert reset.code == ROOT / "dist" / "code.zip"


def test_the_environment_decides_what_the_manifest_leaves_open() -> None:
    manifest = Manifest.read(ROOT / "s.yaml", {**ENVIRON, "ROTATOR_NAME": "mine", "FC_REGION": "cn-beijing"}, ACCOUNT)
    assert manifest.region == "cn-beijing"
    assert manifest.functions[0].name == "mine-reset-password"
    assert all(name.startswith("mine-") for name in manifest.queues() | manifest.topics() | manifest.roles())


def test_a_variable_that_is_not_set_is_named_with_its_place() -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        Manifest.read(ROOT / "s.yaml", {}, ACCOUNT)
    assert caught.value.place.startswith("resources.reset_password.props.")
    assert "LOG_PROJECT is not set" in caught.value.reason


# -------------------------------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", "plain"),
        ("${env('HOME_OF')}", "there"),
        ("${env('HOME_OF', 'x')}", "there"),
        ("${env('EMPTY', 'x')}", "x"),
        ("${env('ABSENT', '')}", ""),
        ("${ env( 'ABSENT' , 'x' ) }", "x"),
        ("${vars.a}", "A"),
        ("-${vars.a}-${vars.a}-", "-A-A-"),
        ("${vars.deep.b}", "B-A"),
        ("${config('AccountID')}", ACCOUNT),
        ("${this.props.region}", "cn-shanghai"),
        ("${this.name}", "one"),
        ("${resources.one.props.handler}", "a.b"),
        ("${file('note.txt')}", "noted"),
        ("${env('NESTED')}", "A"),
    ],
)
def test_an_expression_is_replaced_by_what_it_stands_for(tmp_path: Path, text: str, becomes: str) -> None:
    (tmp_path / "note.txt").write_text("noted")
    assert filled(tmp_path, text, HOME_OF="there", EMPTY="", NESTED="${vars.a}") == becomes


def test_a_value_that_is_one_expression_keeps_its_type(tmp_path: Path) -> None:
    content = document(one=props(timeout="${vars.seconds}", tags="${json(file('tags.json'))}")) | {
        "vars": {"seconds": 60}
    }
    (tmp_path / "tags.json").write_text('[{"key": "team", "value": "security"}]')
    (function,) = read(tmp_path, content).functions
    assert function.props.timeout == 60
    assert function.props.tags[0].key == "team"


def test_a_path_is_absolute(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert read(tmp_path, document(one=props(code="${path('src')}"))).functions[0].code == tmp_path / "src"


def test_a_key_without_a_value_is_left_out(tmp_path: Path) -> None:
    (function,) = read(tmp_path, document(one=props() | {"description": None, "role": None})).functions
    assert (function.props.description, function.props.role) == ("", None)


def test_a_resource_whose_output_is_used_is_deployed_first(tmp_path: Path) -> None:
    second = props(functionName="g", environmentVariables={"X": "${resources.two.output.functionArn}"})
    manifest = read(tmp_path, document(one=second, two=props()))
    assert [each.resource for each in manifest.functions] == ["two", "one"]
    arn = f"acs:fc:cn-shanghai:{ACCOUNT}:functions/f"
    assert manifest.functions[1].props.environment_variables["X"] == arn


def test_a_template_lies_under_the_props(tmp_path: Path) -> None:
    content = document(one={"functionName": "f", "environmentVariables": {"B": "2"}})
    content["template"] = {"base": {**props(functionName="x", timeout=9), "environmentVariables": {"A": "1", "B": "1"}}}
    content["resources"]["one"]["extend"] = {"name": "base", "ignore": ["timeout"]}
    (function,) = read(tmp_path, content).functions
    assert (function.name, function.props.timeout) == ("f", 3)
    assert function.props.environment_variables == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${env('ABSENT')}", "ABSENT is not set, and has no default"),
        ("${vars.b}", "there is no b"),
        ("${vars.a.b}", "there is no b"),
        ("${resources.two.props.x}", "there is no two"),
        ("${resources.one.output.x}", "waits for another's output"),
        ("${secrets.x}", "there is no secrets"),
        ("${config('Nothing')}", "the credential has no Nothing"),
        ("${file('none.txt')}", "none.txt cannot be read"),
        ("${path('none')}", "the path none does not exist"),
        ("${json('{')}", "it is not JSON"),
        ("${vars.a || 'x'}", "is not understood"),
        ("${vars.a + 'x'}", "is not understood here"),
        ("${uuid()}", "uuid() is not understood here"),
        ("${env()}", "env() takes a text, and a default"),
        ("${file('a', 'b')}", "file() takes a text"),
        ("${}", "is not understood"),
        ("${ vars.a }", "no name with a space beside it"),
        ("x${vars.deep}", "in the middle of a text"),
        ("${env('LOOP')}", "an expression is left"),
    ],
)
def test_an_expression_that_is_not_understood_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        filled(tmp_path, text, LOOP="${env('LOOP')}")
    assert said in caught.value.reason
    assert caught.value.place in ("resources.one.props.environmentVariables.X", "resources")


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("more", "place", "said"),
    [
        ({"timout": 60}, "timout", "there is no such key; is timeout meant?"),
        ({"maxAsyncRetryAttempts": 3}, "maxAsyncRetryAttempts", "there is no such key here; it belongs elsewhere"),
        ({"asyncInvokeConfig": {"maxAsyncRetryAttempt": 3}}, "asyncInvokeConfig.maxAsyncRetryAttempt", "no such key"),
        ({"asyncInvokeConfig": {"onFailure": {}}}, "asyncInvokeConfig.onFailure", "belongs elsewhere"),
        ({"asyncInvokeConfig": {"maxAsyncRetryAttempts": 9}}, "asyncInvokeConfig.maxAsyncRetryAttempts", "<= 8"),
        ({"asyncInvokeConfig": {"maxAsyncEventAgeInSeconds": 2_592_000}}, "asyncInvokeConfig", "<= 604800"),
        ({"layers": ["x"]}, "layers", "is known to fc3, and not carried out here"),
        ({"scalingConfig": {"minInstances": 1}}, "scalingConfig", "is known to fc3, and not carried out here"),
        ({"policies": []}, "policies", "there is no such key"),
        ({"handler": None}, "", "missing required field `handler`"),
        ({"timeout": "60"}, "timeout", "Expected `int`, got `str`"),
        ({"timeout": 0}, "timeout", ">= 1"),
        ({"memorySize": 500}, "memorySize", "multiple of 64"),
        ({"diskSize": 1024}, "diskSize", "1024"),
        ({"instanceConcurrency": 2}, "instanceConcurrency", "2"),
        ({"region": "Shanghai"}, "region", "regex"),
        ({"functionName": "a b"}, "functionName", "regex"),
        ({"environmentVariables": {"N": 5}}, "environmentVariables.N", "Expected `str`, got `int`"),
        ({"code": "./none"}, "code", "./none is no folder"),
        (
            {"code": {"src": "a", "ossBucketName": "b", "ossObjectName": "c"}},
            "",
            "a package in OSS is not deployed here",
        ),
        ({"role": "acs:ram::42:role/r"}, "role", "is no role of account"),
        ({"logConfig": {"project": "p"}}, "logConfig", "missing required field `logstore`"),
        ({"logConfig": {"project": "p", "logStore": "l"}}, "logConfig.logStore", "is logstore meant?"),
        (
            {"instanceLifecycleConfig": {"preStop": {"handler": "a.b"}}},
            "instanceLifecycleConfig.preStop",
            "no such key",
        ),
        ({"triggers": [timer(), timer()]}, "", "triggers: t stands twice"),
        ({"triggers": [http(), http() | {"triggerName": "i"}]}, "", "has at most one of type http"),
    ],
)
def test_a_prop_that_is_not_understood_is_named_with_its_place(
    tmp_path: Path, more: dict[str, Any], place: str, said: str
) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, document(one=props() | more if more.get("handler", "") is not None else props(handler=None)))
    assert said in caught.value.reason
    assert caught.value.place.startswith(f"resources.one.props.{place}".rstrip("."))


@pytest.mark.parametrize(
    ("trigger", "place", "said"),
    [
        (timer(cronExpresion="x"), "triggerConfig.cronExpresion", "is cronExpression meant?"),
        (timer() | {"enable": True}, "enable", "belongs elsewhere"),
        (timer(payload={"a": 1}), "triggerConfig.payload", "Expected `str`, got `object`"),
        (timer(enable="true"), "triggerConfig.enable", "Expected `bool`, got `str`"),
        (timer(cronExpression="0 4 * * *"), "triggerConfig.cronExpression", "neither @every nor six valid fields"),
        (timer(cronExpression="0 0 25 * * *"), "triggerConfig.cronExpression", "neither @every nor six valid fields"),
        (timer(cronExpression="CRON_TZ=Mars/X 0 0 4 * * *"), "triggerConfig.cronExpression", "no time zone Mars/X"),
        (timer(cronExpression="0 0 4 30 2 *"), "triggerConfig.cronExpression", "it is never due"),
        (timer(cronExpression="@every 30s"), "triggerConfig.cronExpression", "shorter than a minute"),
        (timer() | {"triggerType": "oss"}, "triggerType", "oss is known to fc3, and not carried out here"),
        (timer() | {"triggerType": "cron"}, "triggerType", "cron is none of timer, mns_topic, eventbridge, http"),
        (http(authType="anonymous"), "triggerConfig.authType", "anonymous is known to fc3, and not carried out here"),
        (http(authType="jwt", authConfig={}), "triggerConfig.authType", "jwt is known to fc3, and not carried out"),
        (http(authType="none"), "triggerConfig.authType", "none"),
        (http(methods=[]), "triggerConfig.methods", "length >= 1"),
        (http(methods=["get"]), "triggerConfig.methods[0]", "get"),
        (http(methods=["GET", "GET"]), "triggerConfig", "methods: GET stands twice"),
        (http(authConfig={}), "triggerConfig", "authConfig: is not for authType function"),
        (http(disableUrlInternet=True), "triggerConfig.disableUrlInternet", "is disableURLInternet meant?"),
        (http(disableURLInternet="no"), "triggerConfig.disableURLInternet", "Expected `bool`, got `str`"),
        (http() | {"sourceArn": "x"}, "sourceArn", "is not for a trigger of type http"),
        (timer() | {"sourceArn": "x"}, "sourceArn", "is not for a trigger of type timer"),
        (timer() | {"qualifier": "v1"}, "qualifier", "v1"),
        (timer() | {"invocationRole": "acs:ram::42:role/r"}, "invocationRole", "is no role of account"),
        (topic(None), "sourceArn", "is not acs:mns:"),
        (topic(f"{QUEUE}/work"), "sourceArn", "must be one of topics"),
        (topic(f"acs:mns:cn-beijing:{ACCOUNT}:/topics/t"), "sourceArn", "is in cn-beijing"),
        (eventbridge(eventRuleFilterPattern="{'a': 1}"), "triggerConfig.eventRuleFilterPattern", "it is not JSON"),
        (eventbridge(eventRuleFilterPattern={}), "triggerConfig.eventRuleFilterPattern", "Expected `str`"),
        (eventbridge(runOptions={"mode": "streaming"}), "triggerConfig.runOptions.mode", "streaming"),
        (eventbridge(runOptions={}), "triggerConfig.runOptions", "missing required field `mode`"),
        (
            eventbridge(runOptions={"mode": "event-streaming", "maximumTasks": 2}),
            "triggerConfig.runOptions.maximumTasks",
            "no such key",
        ),
        (
            eventbridge(runOptions={"mode": "event-streaming", "deadLetterQueue": {"arn": "x"}}),
            "triggerConfig.runOptions.deadLetterQueue.arn",
            "is Arn meant?",
        ),
        (
            eventbridge(runOptions={"mode": "event-streaming", "deadLetterQueue": {"Arn": "dead"}}),
            "triggerConfig.runOptions.deadLetterQueue.Arn",
            "is not acs:mns:",
        ),
        (
            eventbridge(runOptions={"mode": "event-streaming", "errorTolerance": "ALL"}),
            "triggerConfig.runOptions.errorTolerance",
            "is errorsTolerance meant?",
        ),
        (
            eventbridge(runOptions={"mode": "event-streaming", "batchWindow": {"CountBasedWindow": 0}}),
            "triggerConfig.runOptions.batchWindow.CountBasedWindow",
            ">= 1",
        ),
        (
            eventbridge(runOptions={"mode": "event-driven", "batchWindow": {}}),
            "triggerConfig.runOptions",
            "batchWindow: without effect unless mode is event-streaming",
        ),
        (
            eventbridge(eventSourceConfig={"eventSourceType": "Default", "eventSourceParameters": {}}),
            "triggerConfig",
            "the event bus (Default) has event-driven only",
        ),
        (
            eventbridge(eventSourceConfig={"eventSourceType": "MNS", "eventSourceParameters": {}}),
            "triggerConfig",
            "MNS needs eventSourceParameters.sourceMNSParameters",
        ),
        (
            eventbridge(eventSinkConfig={"deliveryOption": {"mode": "event-driven"}}),
            "triggerConfig",
            "deliveryOption.mode says otherwise",
        ),
        (
            eventbridge(
                eventSourceConfig={
                    "eventSourceType": "MNS",
                    "eventSourceParameters": {"sourceMNSParameters": {"QueueName": "w", "RegionId": "cn-beijing"}},
                }
            ),
            "triggerConfig.eventSourceConfig.eventSourceParameters.sourceMNSParameters.RegionId",
            "is cn-beijing, and the function is in cn-shanghai",
        ),
    ],
)
def test_a_trigger_that_is_not_understood_is_named_with_its_place(
    tmp_path: Path, trigger: dict[str, Any], place: str, said: str
) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, document(one=props(triggers=[trigger])))
    assert said in caught.value.reason
    assert caught.value.place == f"resources.one.props.triggers[0].{place}"


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("dead-letters", "is no queue, no topic and no function"),
        (f"acs:fc:cn-beijing:{ACCOUNT}:functions/f", "is no queue, no topic and no function"),
        (f"acs:mns:cn-shanghai:{ACCOUNT}:/queue/x/messages", "is not acs:mns:"),
        ("acs:mns:cn-shanghai:42:/queues/x/messages", "in cn-shanghai of 42"),
    ],
)
def test_a_destination_that_is_nowhere_is_refused(tmp_path: Path, destination: str, said: str) -> None:
    config = {"destinationConfig": {"onFailure": {"destination": destination}}}
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, document(one=props(asyncInvokeConfig=config)))
    assert caught.value.place.endswith("asyncInvokeConfig.destinationConfig.onFailure.destination")
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ({"edition": "1.0.0"}, "edition", "what is understood is 3.0.0"),
        ({"resource": {}}, "resource", "is resources meant?"),
        ({"flow": {}}, "flow", "there is no such key"),
        ({"resources": {}}, "resources", "declares nothing"),
        ({"resources": {"one": {"component": "fc", "props": {}}}}, "resources.one.component", "is 'fc'"),
        ({"resources": {"one": {"component": "fc3", "prop": {}}}}, "resources.one.prop", "is props meant?"),
        ({"actions": {"pre-bogus deploy": []}}, "actions.pre-bogus deploy", "is no action"),
        ({"actions": {"pre-deploy": [{"run": "a", "plugin": "b"}]}}, "actions.pre-deploy[0]", "one of run, component"),
    ],
)
def test_a_document_that_is_not_understood_is_refused(
    tmp_path: Path, change: dict[str, Any], place: str, said: str
) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, document(one=props()) | change)
    assert caught.value.place == place
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"one": props(), "two": props()}, "functionName f stands twice"),
        ({"one": props(), "two": props(functionName="g", region="cn-beijing")}, "more than one region"),
    ],
)
def test_what_two_functions_cannot_share_is_refused(tmp_path: Path, resources: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, document(**resources))
    assert said in caught.value.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "line 2: the key 'a' stands twice"),
        ("a: [", "line 1"),
        ("1: 2\n", "line 1: the key 1 is not a text"),
        ("- 1\n", "holds no object"),
        ("a: !!python/name:os.system x\n", "line 1"),
    ],
)
def test_yaml_that_the_tool_would_not_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ManifestRefusedError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    text = (
        "edition: 3.0.0\nname: app\nresources:\n  one:\n    component: fc3\n    props:\n      region: cn-shanghai\n"
        "      functionName: f\n      runtime: python3.10\n      code: ./\n      handler: a.b\n"
        "      environmentVariables:\n        A: no\n        B: 1:30\n        C: None\n        D: off\n"
    )
    (function,) = read(tmp_path, text).functions
    assert function.props.environment_variables == {"A": "no", "B": "1:30", "C": "None", "D": "off"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestRefusedError, match=r"none\.yaml: cannot be read: No such file"):
        Manifest.read(tmp_path / "none.yaml", {}, ACCOUNT)


# --------------------------------------------------------------------------------------------------- what is understood


def test_a_topic_and_a_queue_are_known_by_name(tmp_path: Path) -> None:
    dead = {"mode": "event-streaming", "deadLetterQueue": {"Arn": f"{QUEUE}/dead"}}
    policy = {"destinationConfig": {"onFailure": {"destination": f"{QUEUE}/failed/messages"}}}
    triggers = [topic(), eventbridge(runOptions=dead)]
    manifest = read(tmp_path, document(one=props(triggers=triggers, asyncInvokeConfig=policy)))
    assert manifest.queues() == {"work", "dead", "failed"}
    assert manifest.topics() == {"news"}
    (function,) = manifest.functions
    assert [type(each.config) for each in function.triggers] == [TopicConfig, EventBridgeConfig]


def test_a_role_may_be_a_bare_name(tmp_path: Path) -> None:
    manifest = read(tmp_path, document(one=props(role="worker", triggers=[eventbridge()])))
    assert manifest.roles() == {"worker"}
    assert manifest.queues() == {"work"}


def test_actions_around_a_command_are_understood(tmp_path: Path) -> None:
    steps = [{"run": "make", "path": "./"}, {"component": "fc3 build"}, {"plugin": "dingding", "args": {"token": "x"}}]
    content = document(one=props()) | {"actions": {"pre-deploy": steps}}
    content["resources"]["one"]["actions"] = {"success-deploy": [{"run": "echo", "allow_failure": True}]}
    assert read(tmp_path, content).functions[0].name == "f"

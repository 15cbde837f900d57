"""The entry points as Function Compute calls them: initialize once, then handler with bytes, in either runtime."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from functions.reset_password import index
from shared import bootstrap
from shared.errors import DirectoryDenied, EventError, RotationsFailed, RotatorError, SettingsError, UserNotFound
from tests.deployment import EVENTS, FUNCTION, CloudClock, Context310, Context312, Deployment, FunctionFacts
from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import LocalCloud
from tests.wire.leaks import assert_absent

REQUEST = b'{"UserName": "alice", "RotatedSince": "2026-01-01T00:00:00Z"}'
OLD = "Old-Secret-01!"
USERS = ("alice", "bob", "carol", "dave", "erin", "root-admin", "frank")
FILES = [path for path in EVENTS.iterdir() if path.suffix in {".json", ".txt"}]
SAMPLES = sorted(path for path in FILES if not path.name.startswith(("scan-", "status-")))  # the other functions'
CREDENTIALS = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")


@pytest.fixture(autouse=True)
def _fresh_instance() -> Iterator[None]:
    """Be an instance that has served nothing, and leave none behind."""
    index._instance.clear()
    yield
    index._instance.clear()


@pytest.fixture
def environment(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the process's environment to the function's, without credentials."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    for name, value in deployed.environ.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@dataclass
class BareContext:
    """A context that lacks what this program asks for."""

    request_id: str = "1-test"
    region: str = "cn-hangzhou"


def grant(environment: pytest.MonkeyPatch, deployed: Deployment, credentials: Credentials | None = None) -> None:
    """Put credentials where the Python 3.12 runtime has them."""
    for name, value in deployed.credentials_environment(credentials).items():
        environment.setenv(name, value)


def invoke(event: bytes, context: bootstrap.Context) -> dict[str, Any]:
    answer = index.handler(event, context)
    assert isinstance(answer, str)
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


def rotated(answer: dict[str, Any]) -> bool:
    return [one["Outcome"] for one in answer["Outcomes"]] == ["rotated"]


# ------------------------------------------------------------------------------------------------------- both runtimes


@pytest.mark.usefixtures("environment")
def test_python_310_has_the_credentials_in_its_context(deployed: Deployment) -> None:
    index.initialize(deployed.context)
    assert rotated(invoke(REQUEST, deployed.context))
    assert deployed.current_signs_in("alice") == "ok"


def test_python_312_has_the_credentials_in_its_environment(
    deployed: Deployment, environment: pytest.MonkeyPatch
) -> None:
    grant(environment, deployed)
    index.initialize(Context312())
    assert rotated(invoke(REQUEST, Context312()))
    assert deployed.current_signs_in("alice") == "ok"


def test_the_contexts_credentials_come_before_the_environments(
    deployed: Deployment, environment: pytest.MonkeyPatch
) -> None:
    grant(environment, deployed, Credentials("STS.wrong", "wrong", "wrong"))
    assert rotated(invoke(REQUEST, deployed.context))


def test_empty_credentials_in_a_context_are_none(deployed: Deployment, environment: pytest.MonkeyPatch) -> None:
    grant(environment, deployed)
    assert rotated(invoke(REQUEST, Context310(Credentials("", "", None))))


def test_a_long_lived_key_needs_no_security_token(deployed: Deployment, environment: pytest.MonkeyPatch) -> None:
    key = deployed.cloud.ram.issue(deployed.cloud.ram.role("dev", "1510000000000001", _everything()))
    grant(environment, deployed, key)
    assert key.security_token is None
    assert rotated(invoke(REQUEST, Context312()))


@pytest.mark.usefixtures("environment")
def test_a_function_without_its_initializer_works_as_well(deployed: Deployment) -> None:
    assert rotated(invoke(REQUEST, deployed.context))


@pytest.mark.usefixtures("environment")
def test_an_instance_is_prepared_once(deployed: Deployment) -> None:
    index.initialize(deployed.context)
    prepared = index._instance["app"]
    invoke(REQUEST, deployed.context)
    assert index._instance["app"] is prepared


# --------------------------------------------------------------------------------------------------------- credentials


@pytest.mark.usefixtures("environment")
def test_credentials_that_change_between_two_invocations_are_read_anew(deployed: Deployment) -> None:
    index.initialize(deployed.context)
    invoke(REQUEST, deployed.context)
    deployed.cloud.ram.expire(deployed.credentials.access_key_id)
    with pytest.raises(DirectoryDenied):
        index.handler(REQUEST, deployed.context)
    fresh = replace(deployed.context, credentials=deployed.cloud.admin)
    assert invoke(REQUEST, fresh)["Outcomes"][0]["Outcome"] == "already-rotated"


def test_the_environments_credentials_are_read_anew_as_well(
    deployed: Deployment, environment: pytest.MonkeyPatch
) -> None:
    grant(environment, deployed)
    index.initialize(Context312())
    deployed.cloud.ram.expire(deployed.credentials.access_key_id)
    with pytest.raises(DirectoryDenied):
        index.handler(REQUEST, Context312())
    grant(environment, deployed, deployed.cloud.admin)
    assert rotated(invoke(REQUEST, Context312()))


@pytest.mark.parametrize("missing", CREDENTIALS[:2])
def test_missing_credentials_are_a_setting_to_correct(
    deployed: Deployment, environment: pytest.MonkeyPatch, missing: str
) -> None:
    grant(environment, deployed)
    environment.setenv(missing, "")
    with pytest.raises(SettingsError, match="role"):
        index.handler(REQUEST, Context312())
    assert len(deployed.cloud.calls) == 0


@pytest.mark.usefixtures("environment")
def test_an_event_that_asks_for_nothing_needs_no_credentials() -> None:
    assert invoke((EVENTS / "kms-noise.json").read_bytes(), Context312())["Ignored"] == 1


# ------------------------------------------------------------------------------------------------------------ time-outs


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("timeout", [0, 3, 59, "59", None])
def test_a_timeout_shorter_than_a_rotation_is_a_setting_to_correct(deployed: Deployment, timeout: Any) -> None:  # noqa: ANN401 - whatever a runtime gives
    context = Context310(deployed.credentials, function=FunctionFacts(timeout))
    with pytest.raises(SettingsError, match=r"s\.yaml"):
        index.handler(REQUEST, context)
    assert len(deployed.cloud.calls) == 0


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("timeout", [100, "100", "280", 86400])
def test_a_timeout_is_a_number_or_the_text_of_one(deployed: Deployment, timeout: Any) -> None:  # noqa: ANN401 - whatever a runtime gives
    context = Context310(deployed.credentials, function=FunctionFacts(timeout))
    assert rotated(invoke(REQUEST, context))


@pytest.mark.usefixtures("environment")
def test_a_context_without_a_function_is_told_as_a_timeout_that_is_too_short() -> None:
    with pytest.raises(SettingsError, match="timeout is 0 s"):
        index.handler(REQUEST, BareContext())


# ------------------------------------------------------------------------------------------------------------- settings


def test_initialize_lists_everything_that_is_wrong(deployed: Deployment, environment: pytest.MonkeyPatch) -> None:
    for name in ("CLOUDSSO_DIRECTORY_ID", "MAX_PARALLEL", "PASSWORD_SOURCE", "LOG_LEVEL"):
        environment.setenv(name, "?")
    with pytest.raises(SettingsError) as raised:
        index.initialize(deployed.context)
    for name in ("CLOUDSSO_DIRECTORY_ID", "MAX_PARALLEL", "PASSWORD_SOURCE", "LOG_LEVEL", "s.yaml"):
        assert name in str(raised.value)
    assert not index._instance
    with pytest.raises(SettingsError):
        index.handler(REQUEST, deployed.context)


@pytest.mark.parametrize(("misspelt", "meant"), [("PROTECTED_USER", "PROTECTED_USERS"), ("LOGLEVEL", "LOG_LEVEL")])
def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(
    deployed: Deployment, environment: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    environment.setenv(misspelt, "INFO")
    with pytest.raises(SettingsError, match=rf"'{misspelt}' is no setting; did you mean {meant}\?"):
        index.initialize(deployed.context)


def test_the_functions_own_region_is_where_its_secrets_are_by_default(
    deployed: Deployment, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("KMS_REGION")
    assert rotated(invoke(REQUEST, deployed.context))


@pytest.mark.parametrize("rules", ["", "{", "[]", '{"Rules": [{"Name": "x"}]}', '{"Rules": [], "Extra": 1}'])
def test_a_broken_rules_file_is_told_by_its_name(deployed: Deployment, tmp_path: Path, rules: str) -> None:
    file = tmp_path / "rules.json"
    file.write_text(rules, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"rules\.json"):
        bootstrap.start(file, deployed.context, deployed.environ)


@pytest.mark.parametrize("spelling", ["sdk", "SDK", "Sdk"])
def test_the_sdks_debug_switch_is_removed_from_the_environment(
    deployed: Deployment, environment: pytest.MonkeyPatch, spelling: str
) -> None:
    environment.setenv("DEBUG", spelling)
    index.initialize(deployed.context)
    assert "DEBUG" not in os.environ


def test_somebody_elses_debug_switch_is_left_alone(deployed: Deployment, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DEBUG", "app")
    index.initialize(deployed.context)
    assert os.environ["DEBUG"] == "app"


@pytest.mark.parametrize(("parallel", "most"), [("1", 1), ("2", 2), ("8", 4)])
def test_at_most_max_parallel_users_are_under_way_at_once(cloud: LocalCloud, parallel: str, most: int) -> None:
    deployed = Deployment(cloud, MAX_PARALLEL=parallel)
    users = USERS[:4]
    for name in users:
        deployed.add_user(name)
    meter = Meter(most)
    cloud.faults.before("ListUsers", meter.enter, count=len(users))
    cloud.faults.after("TagResource", meter.leave, count=len(users))
    deployed.invoke([{"UserName": name} for name in users])
    assert meter.most == most
    assert all(deployed.current_signs_in(name) == "ok" for name in users)


class Meter:
    """Counts who is under way; the first ones wait a little until as many are as are expected."""

    def __init__(self, expected: int) -> None:
        self.most = self._now = 0
        self._changed = threading.Condition()
        self._expected = expected

    def enter(self) -> None:
        with self._changed:
            self._now += 1
            self.most = max(self.most, self._now)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self._expected, timeout=5)

    def leave(self) -> None:
        with self._changed:
            self._now -= 1


# -------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.usefixtures("environment")
def test_the_answer_is_json_with_ids_only(deployed: Deployment) -> None:
    answer = invoke(REQUEST, deployed.context)
    assert answer.keys() == {"Outcomes", "Ignored"}
    (outcome,) = answer["Outcomes"]
    assert outcome["SecretName"] == deployed.secret_name("alice")
    assert_absent(deployed.passwords_of("alice"), json.dumps(answer), "the answer")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("name", ["http.json", "http-base64.json"])
def test_an_http_trigger_is_answered_in_its_own_shape(deployed: Deployment, name: str) -> None:
    for user in USERS[1:]:
        deployed.add_user(user)
    answer = invoke(deployed.sample(name), deployed.context)
    assert answer.keys() == {"statusCode", "headers", "isBase64Encoded", "body"}
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"] == {"Content-Type": "application/json", "Cache-Control": "no-store"}
    assert rotated(json.loads(answer["body"]))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "name", ["actiontrail-own-reset.json", "actiontrail-failed-call.json", "kms-noise.json", "sls-resolved.json"]
)
def test_what_a_rule_ignores_succeeds_without_a_call(deployed: Deployment, name: str) -> None:
    assert invoke(deployed.sample(name), deployed.context) == {"Outcomes": [], "Ignored": 1}
    assert len(deployed.cloud.calls) == 0


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_event_is_carried_out_or_refused_with_an_error_of_ours(
    cloud: LocalCloud, capfd: pytest.CaptureFixture[str], sample: Path
) -> None:
    deployed = Deployment(cloud)
    for name in USERS:
        deployed.add_user(name, OLD, status="Disabled" if name == "frank" else "Enabled")
    cloud.calls.clear()
    failure: RotatorError | None = None
    try:
        deployed.invoke(sample.read_bytes())
    except RotatorError as error:
        failure = error
    if sample.name.startswith("bad-"):
        assert isinstance(failure, EventError | RotationsFailed)
        assert len(cloud.calls) == 0
    else:
        assert failure is None or isinstance(failure, UserNotFound | RotationsFailed)
    out, err = capfd.readouterr()
    assert all(json.loads(line)["Invocation"] == "1-test" for line in out.splitlines())
    secrets = {deployed.credentials.access_key_secret, deployed.credentials.security_token or "?", OLD}
    assert_absent(secrets, out + err + str(failure), "the output")


def test_the_error_of_a_huge_batch_is_cut_and_the_audit_lines_are_whole(
    deployed: Deployment, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RotationsFailed, match="the audit lines have the rest") as raised:
        deployed.invoke([{"UserNam": "x"}] * 400)
    assert len(str(raised.value)) < 40_000
    assert len(capfd.readouterr().out.splitlines()) == 400


@pytest.mark.usefixtures("environment")
def test_two_events_of_one_instance_do_not_know_of_each_other(deployed: Deployment) -> None:
    index._instance["app"] = bootstrap.start(index.RULES, deployed.context, clock=CloudClock(deployed.cloud))
    invoke(REQUEST, deployed.context)
    with pytest.raises(UserNotFound):
        index.handler(b'{"UserName": "mallory"}', deployed.context)
    assert invoke(REQUEST, deployed.context)["Outcomes"][0]["Outcome"] == "already-rotated"


def test_the_shipped_rules_are_beside_the_function() -> None:
    assert index.RULES == FUNCTION / "rules.json"
    assert index.RULES.is_file()


def _everything() -> dict[str, Any]:
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

"""The stand-ins refuse what the tools do not know: a command that passes here may be typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.installation import MANIFEST
from tests.localcloud.fc.declared import DeclaredTrigger
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.props import EventBridgeConfig
from tests.localcloud.server import ACCOUNT_ID, LocalCloud
from tests.runbook.documents import ROOT, Step, missing, sections
from tests.runbook.local import MADE_ELSEWHERE
from tests.runbook.shell import Shell, shell
from tests.runbook.test_commands import the
from tests.runbook.tools import UnknownCommandError, flags
from tests.runbook.world import World, kept

EXPORTS = the("README.md", "Deploy").steps[0].script
KMS = 'aliyun kms {} --RegionId "$KMS_REGION"'
SSO = 'aliyun cloudsso {} --RegionId "$CLOUDSSO_REGION" --DirectoryId "$CLOUDSSO_DIRECTORY_ID"'
SAMPLE = """
# A sample

```console
$ echo one
one
$ echo \\
>   two
two
three
```

```text
a block of its own
```

## Of documents

1. A list:

   ```sh
   echo four
   ```

   ```text
   four
   ```

   ```json
   {}
   ```
"""
TRAIL = "aliyun actiontrail LookupEvents --LookupAttribute.1.Key EventName"
TAGGED = "--ResourceType user --ResourceId.1 u-1 --Tag.1.Key a --Tag.1.Value b"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Return an account in which nothing is deployed."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield World(cloud)


@pytest.fixture(scope="module")
def run(world: World) -> Iterator[Shell]:
    """Return a shell with stand-ins."""
    with shell(world) as made:
        yield made


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("aliyun ecs DescribeInstances", "the product is not known"),
        (KMS.format("DescribeSecrets"), "the official SDK has no such action"),
        (KMS.format("DescribeSecret") + " --Secretname alice", "has no parameters"),
        (KMS.format("DescribeSecret") + " --SecretName a --version 2016-01-20", "needs neither"),
        (KMS.format("DescribeSecret") + " --SecretName", "has no value"),
        (KMS.format("DescribeSecret") + " --SecretName a --SecretName b", "stands twice"),
        (KMS.format("DescribeSecret") + " alice", "stands where a flag is expected"),
        ("aliyun kms DescribeSecret --SecretName a", "goes to region ''"),
        ("aliyun kms DescribeSecret --SecretName a --RegionId cn-beijing", "goes to region 'cn-beijing'"),
        (SSO.format("TagResources") + f" {TAGGED}", "needs --force"),
        (SSO.format("TagResources") + f" --force --version 2016-01-20 {TAGGED}", "needs --force"),
        (SSO.format("ListUsers") + " --Tag.1.Key a", "has no parameters"),
        ("aliyun ros DescribeStack", "is not known"),
        ('aliyun ros GetStack --RegionId "$FC_REGION" --StackName x', "has no parameters"),
        ('aliyun ros GetStack --RegionId "$FC_REGION"', "lacks"),
        ('aliyun ros UpdateStack --RegionId "$FC_REGION" --StackId x --TemplateBody "{}"', "is not docs/stack.json"),
        ("aliyun cms PutResourceMetricRule --RegionId x --Threshold 1", "has no parameters"),
        ("s deploy", "asks, and nobody is there to answer"),
        ("s reset_passwords deploy -y", "is no resource of s.yaml"),
        ("s invoke --event '{}'", "is no resource of s.yaml"),
        ("s reset_password invoke --evnt '{}'", "is not known"),
        ("s reset_password redeploy -y", "is not known"),
        ("REDRIVE=yes s deploy -y", "it is not JSON"),
        ("LOG_PROJECT= s deploy -y", "LOG_PROJECT is not set"),
        ("make", "has no rule"),
        ("make nonsense", "has no rule"),
        ("git push", "has no rule"),
        ("curl -s -H 'A: b' http://example.com/", "which is not this cloud"),
        (".venv/bin/python -m http.server", "has no rule"),
        (".venv/bin/python -m tests.localcloud --prot 8080", "does not know --prot"),
        ("aliyunlog log create_alert --project=x --details={}", "takes"),
        ("aliyunlog log get_log_all --project=x --logstore=x --from_time=1 --to_time=2", "takes"),
        ("s reset_password logs --start-time yesterday", "it is no instant"),
        ("s reset_password logs --start-time 2026-01-15T08:00:00", "it has no zone"),
        ("aliyun actiontrail LookupEvents --RegionId x --EventName DeleteUser", "is not known with"),
        (f"{TRAIL} --RegionId nowhere --LookupAttribute.1.Value DeleteUser", "is not recorded in nowhere"),
        (f'{TRAIL} --RegionId "$CLOUDSSO_REGION" --LookupAttribute.1.Value DropUser', "no call that the documents ask"),
    ],
)
def test_what_a_tool_does_not_know_is_refused(command: str, why: str, run: Shell) -> None:
    with pytest.raises(AssertionError, match=f"(?s)Error: .*{why}"):
        run.run((Step(f"{EXPORTS}\n{command}"),))


def test_a_tool_without_a_stand_in_is_not_found(run: Shell) -> None:
    with pytest.raises(AssertionError, match="terraform: command not found"):
        run.run((Step("terraform apply"),))


def test_the_first_step_that_fails_is_named(run: Shell) -> None:
    steps = (Step("echo one", line=3), Step("grep two <<< one", line=7), Step("echo three", line=9))
    with pytest.raises(AssertionError, match="line 7 ended with 1"):
        run.run(steps)


def test_what_the_services_refuse_is_printed_and_ends_the_shell(run: Shell) -> None:
    step = Step(f"{EXPORTS}\n{KMS.format('DescribeSecret')} --SecretName nobody")
    with pytest.raises(AssertionError, match=r"ErrorCode: Forbidden\.ResourceNotFound"):
        run.run((step,))


@pytest.mark.parametrize(
    ("shown", "printed", "lacking"),
    [
        ("a\nb", "x\na  \ny\n  b", []),
        ("b\na", "a\nb", ["a"]),
        ('{..."Outcome": "rotated"...}', '{"Outcomes": [{"Outcome": "rotated", "x": 1}]}', []),
        ('{..."Outcome": "rotated"...}', '{"Outcomes": [{"Outcome": "failed"}]}', ['{..."Outcome": "rotated"...}']),
        ("one ... two", "one three two", []),
        ("x", "", ["x"]),
    ],
)
def test_what_is_shown_is_looked_for_in_its_order(shown: str, printed: str, lacking: list[str]) -> None:
    assert missing(shown, printed) == lacking


def test_flags_with_several_values_end_at_the_next_flag() -> None:
    given = flags(["--waiter", "expr=Status", "to=X", "--force", "--A", "1"], {"force"}, {"waiter"})
    assert given == {"waiter": ["expr=Status", "to=X"], "force": [], "A": ["1"]}
    with pytest.raises(UnknownCommandError):
        flags(["--A", "1", "2"])


def test_a_block_of_commands_and_what_is_seen_of_it_are_one_step() -> None:
    (step,) = the("docs/operations.md", "`expired`").steps
    assert step.script.startswith("s reset_password invoke")
    assert step.shown.startswith('{"Outcomes": [{"Outcome": "rotated"')


def test_a_console_block_is_a_step_for_each_prompt(tmp_path: Path) -> None:
    (tmp_path / "sample.md").write_text(SAMPLE, encoding="utf-8")
    found = sections(str(tmp_path / "sample.md"), 2)
    assert [(step.script, step.shown) for section in found for step in section.steps] == [
        ("echo one", "one"),
        ("echo \\\n  two", "two\nthree"),
        ("echo four\n", "four\n"),
    ]


def test_every_target_that_is_not_made_is_one() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in MADE_ELSEWHERE if f"\n{target}:" not in makefile] == []


# Serverless Devs skips triggers.


def triggers(environment: dict[str, str]) -> tuple[DeclaredTrigger, ...]:
    needed = {"CLOUDSSO_DIRECTORY_ID": "d-1", "CLOUDSSO_REGION": "cn-shanghai", "LOG_PROJECT": "x"}
    return Manifest.read(MANIFEST, {**needed, **environment}, ACCOUNT_ID).functions[0].triggers


def test_after_an_unchanged_trigger_of_eventbridge_the_others_stay_as_they_were() -> None:
    function = Manifest.read(
        MANIFEST, {"CLOUDSSO_DIRECTORY_ID": "d-1", "CLOUDSSO_REGION": "cn-shanghai", "LOG_PROJECT": "x"}, ACCOUNT_ID
    ).functions[0]
    wanted = replace(function, triggers=triggers({"REDRIVE": "true"}))
    assert kept(None, wanted) == wanted.triggers
    assert kept(function, wanted) == function.triggers  # `alerts` is unchanged
    assert kept(replace(function, triggers=function.triggers[:2]), wanted) == function.triggers[:2]
    (redrive,) = [each.config for each in wanted.triggers if each.name == "redrive"]
    assert isinstance(redrive, EventBridgeConfig)
    assert redrive.trigger_enable

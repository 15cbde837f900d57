"""docs/observability.md: its commands install everything, its tables are the code's, its examples are real ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.installation import ROOT, Installation
from tests.localcloud.server import LocalCloud
from tests.observability import artefacts
from tests.observability.artefacts import ALERTS, FOLDER, SAVED
from tests.observability.indexes import index
from tests.observability.queries import QUERIES

DOCUMENT = (FOLDER.parent / "observability.md").read_text(encoding="utf-8")
REFERENCE = (FOLDER.parent / "reference.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
EXAMPLES = re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
NAMES = {"FC_REGION": "cn-shanghai", "LOG_PROJECT": "my-log-project"}
# Of an audit line: what does not depend on the run.
STABLE = ("User", "Reason", "Since", "Trigger", "EventId", "EventSource", "Rule", "Merged", "Outcome", "MustChange")
# Stands in for a command line: notes what it is given, one argument a line.
RECORDER = '#!/bin/sh\n{ echo "$(basename "$0")"; printf "%s\\n" "$@"; echo; } >> "$RECORDED"\n'


def installed(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Run the document's commands; return the options of each call, by what was called."""
    for name in ("aliyun", "aliyunlog"):
        (folder / name).write_text(RECORDER, encoding="utf-8")
        (folder / name).chmod(0o755)
    recorded = folder / "recorded"
    environ = {**os.environ, **NAMES, "PATH": f"{folder}:{os.environ['PATH']}", "RECORDED": str(recorded)}
    for name in ("LOG_STORE", "ROTATOR_NAME"):
        environ.pop(name, None)
    script = "set -eu\n" + "\n".join(SHELL)
    subprocess.run(["bash", "-c", script], cwd=ROOT, env=environ, check=True, timeout=60)  # noqa: S603, S607 - the document's
    calls: dict[str, list[dict[str, str]]] = defaultdict(list)
    for call in recorded.read_text(encoding="utf-8").strip().split("\n\n"):
        command, service, action, *options = call.splitlines()
        joined = " ".join(options) if command == "aliyunlog" else "\n".join(options)
        pattern = r"--(\w+)=(.*?)(?= --\w+=|$)" if command == "aliyunlog" else r"--([\w.]+)\n(.*)"
        calls[f"{service} {action}"].append(dict(re.findall(pattern, joined)))
    return calls


def filled(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what a file should be once the names are filled in."""
    text = json.dumps(value)
    names = {"ACTION_POLICY": "sls.builtin", "CONTACT_GROUP": "security", "ACCOUNT_ID": "1510000000000001"}
    stack = {"LOG_STORE": "cloudsso-rotator", "ROTATOR_NAME": "cloudsso-rotator"}
    for name, said in {**NAMES, **names, **stack}.items():
        text = text.replace(f"${{{name}}}", said)
    return json.loads(text)


def test_the_commands_install_every_artefact_under_the_deployments_names(tmp_path: Path) -> None:
    calls = installed(tmp_path)
    for action, wanted in (
        ("create_savedsearch", artefacts.saved_searches()),
        ("create_dashboard", [artefacts.dashboard()]),
        ("create_alert", artefacts.alerts()),
    ):
        made = calls[f"log {action}"]
        assert {call["project"] for call in made} == {"my-log-project"}
        assert [json.loads(call["detail"]) for call in made] == filled(wanted)
    (made_index,) = calls["log create_index"]
    assert json.loads(made_index["index_detail"]) == index()
    assert (made_index["project_name"], made_index["logstore_name"]) == ("my-log-project", "cloudsso-rotator")
    rules = calls["cms PutResourceMetricRule"]
    assert rules == [{"RegionId": "cn-shanghai", **rule} for rule in filled(artefacts.alarms())]
    pushed = {call["PushType"]: call["TopicName"] for call in calls["mns-open Subscribe"]}
    assert pushed == dict.fromkeys(("email", "http", "queue"), "cloudsso-rotator-results")
    left = set(re.findall(r"\$\{(\w+)\}", json.dumps(calls)))  # what an alert says of a row
    assert left <= {name for alert in ALERTS for name in re.findall(r"as (\w+)", QUERIES[alert.query].text)}


def test_the_tables_list_every_alert_and_every_saved_search() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.partition("### Alerts")[2], re.MULTILINE)
    alerts = [alert.query for alert in ALERTS]
    assert listed == [*alerts, *SAVED]


def test_the_examples_are_what_an_alert_really_leaves() -> None:
    with LocalCloud(skip_waiting=True) as cloud:
        real = Installation(cloud)
        real.add_user("alice", "First-Pass-01!x")
        real.alert(real.sample("security-alert.json"))
        real.settle()
        (line,), (told,) = list(real.audit()), real.results()
    example, payload = (json.loads(each) for each in EXAMPLES)
    assert list(example) == list(line)
    assert {name: example[name] for name in STABLE} == {name: line[name] for name in STABLE}
    assert (payload.keys(), payload["requestContext"].keys()) == (told.keys(), told["requestContext"].keys())
    said, answered = (json.loads(each["responsePayload"]) for each in (payload, told))
    assert said.keys() == answered.keys()
    (one,), (really,) = said["Outcomes"], answered["Outcomes"]
    assert list(one) == list(really)
    assert {name: one[name] for name in one if name in example} == {name: example[name] for name in one}
    shown = re.findall(r"^```json\n(\{\"Outcomes\".*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)
    assert [json.loads(each) for each in shown] == [said]

"""Whatever alarms somebody is where the runbook begins."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.doctor import Problem
from shared.words import TITLES
from tests.runbook.documents import ROOT
from tests.runbook.scenarios import OPERATIONS

OBSERVABILITY = ROOT / "docs" / "observability"
NAME = re.compile(r"\$\{ROTATOR_NAME\}-([a-z-]+)")


def names(file: Path, key: str) -> set[str]:
    """Return the names of what alerts, without the deployment's own."""
    found = [NAME.fullmatch(each[key]) for each in json.loads(file.read_text(encoding="utf-8"))]
    return {match[1] for match in found if match}


def test_every_alert_has_its_line_in_the_first_table() -> None:
    text = (ROOT / OPERATIONS).read_text(encoding="utf-8")
    table = text.partition("| What you see | Go to |")[2].partition("\n\n")[0]
    listed = {name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.partition(" | ")[0])}
    alerts = names(OBSERVABILITY / "alerts.json", "name") | names(OBSERVABILITY / "alarms.json", "RuleId")
    assert len(alerts) > 8
    assert listed == alerts


def test_what_the_doctor_finds_is_called_in_the_runbook_as_on_the_page() -> None:
    text = (ROOT / OPERATIONS).read_text(encoding="utf-8")
    called = dict(re.findall(r"^### `([a-z-]+)`\n\nOn the page: \*([^*]+)\*\.", text, re.MULTILINE))
    assert called == {problem.value: TITLES[problem] for problem in Problem}

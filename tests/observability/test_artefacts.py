"""What is kept in docs/observability/ is what the APIs take, and names fields that audit lines have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.audit import FIELDS, Kind
from shared.scan import EXCLUDED
from tests.observability import artefacts
from tests.observability.artefacts import FOLDER, files
from tests.observability.indexes import LONGEST_TEXT, TEXT, index, leaves, properties
from tests.observability.queries import QUERIES
from tests.observability.sls import fields, numeric, parsed

DOCUMENT = FOLDER.parent / "observability.md"
ROW = re.compile(r"^\| `(\w+)` \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)

# What the structures of the APIs may have, with what they must have: Log Service API 2020-12-30 (Alert,
# AlertConfiguration, AlertQuery, Chart, Dashboard, SavedSearch, Index, IndexKey, IndexJsonKey and what these name), and
# CloudMonitor API 2019-01-01 (PutResourceMetricRule). `type` and `status` of an alert are those of the older call that
# the command line makes ("Data structure of an alert rule").
SHAPES = {
    "alert": "name! displayName! description type! status schedule! configuration!",
    "schedule": "type! interval cronExpression delay runImmediately timeZone",
    "configuration": "version! type! threshold! noDataFire! noDataSeverity autoAnnotation! annotations labels "
    "queryList! dashboard groupConfiguration! joinConfigurations conditionConfiguration severityConfigurations! "
    "policyConfiguration sendResolved! muteUntil sinkAlerthub sinkCms sinkEventStore tags templateConfiguration",
    "queryList": "query! region! project! store! storeType! start! end! timeSpanType! powerSqlMode roleArn chartTitle "
    "dashboardId ui",
    "groupConfiguration": "type! fields",
    "conditionConfiguration": "condition countCondition",
    "severityConfigurations": "severity evalCondition",
    "evalCondition": "condition countCondition",
    "policyConfiguration": "alertPolicyId actionPolicyId repeatInterval",
    "annotations": "key value",
    "labels": "key value",
    "dashboard": "dashboardName! displayName! description attribute charts!",
    "charts": "title! type! search! display! action!",
    "savedsearch": "savedsearchName! displayName! searchQuery! logstore! topic",
    "index": "keys line log_reduce log_reduce_black_list log_reduce_white_list max_text_len scan_index",
    "line": "token! caseSensitive chn include_keys exclude_keys",
    "key": "type! alias caseSensitive chn doc_value embedding index_all json_keys max_depth token vector_index",
    "json_key": "type! alias caseSensitive chn doc_value token",
    "alarm": "RuleId! RuleName! Namespace! MetricName! Resources! ContactGroups! CompositeExpression EffectiveInterval "
    "EmailSubject Interval Labels NoDataPolicy NoEffectiveInterval Period Prometheus SendOK SilenceTime Webhook "
    + " ".join(
        f"Escalations.{level}.{what}"
        for level in ("Critical", "Warn", "Info")
        for what in ("Statistics", "ComparisonOperator", "Threshold", "Times")
    ),
}


def kept(name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def check(kind: str, given: Mapping[str, Any]) -> None:
    """Check that an object has what it must have and nothing that the API does not know, all the way down."""
    known = {word.rstrip("!"): word.endswith("!") for word in SHAPES[kind].split()}
    assert given.keys() <= known.keys(), f"{kind}: {sorted(given.keys() - known.keys())}"
    assert {name for name, must in known.items() if must} <= given.keys(), kind
    for name, value in given.items():
        if name in SHAPES:
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, Mapping):
                    check(name, each)


def queries() -> Iterator[str]:
    """Yield every query of every artefact, as it is kept."""
    yield from (saved["searchQuery"] for saved in kept("queries"))
    for chart in kept("dashboard")["charts"]:
        yield from (asked["query"] for asked in chart["search"]["chartQueries"])
    for alert in kept("alerts"):
        yield from (asked["query"] for asked in alert["configuration"]["queryList"])


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_a_file_is_in_step_with_the_queries_and_the_fields(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files()[path], "python -m tests.observability.artefacts writes it anew"


def test_every_file_is_made_here() -> None:
    assert set(FOLDER.iterdir()) == files().keys()


# --------------------------------------------------------------------------------------------------------------- fields


def test_the_document_has_exactly_the_fields_of_the_code() -> None:
    said = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert [(name, kind, meaning) for name, kind, meaning in said if name in FIELDS] == [
        (name, field.kind.value, field.meaning) for name, field in FIELDS.items()
    ]


def test_field_names_differ_by_more_than_case() -> None:
    assert len({name.lower() for name in FIELDS}) == len(FIELDS)  # Log Service does not tell the others apart


def test_the_index_has_every_field_with_the_type_of_its_values() -> None:
    keys = index()["keys"][TEXT]["json_keys"]
    for name, field in FIELDS.items():
        if field.kind is Kind.COUNTS:
            assert all(keys[f"{name}.{fate.value}"]["type"] == "long" for fate in EXCLUDED)
        else:
            wanted = {Kind.WHOLE: "long", Kind.NUMBER: "double"}.get(field.kind, "text")
            assert (name, keys[name]["type"]) == (name, wanted)
    assert all(key["doc_value"] for key in keys.values())
    assert index()["max_text_len"] == LONGEST_TEXT


def test_the_index_of_the_stack_is_the_same_index() -> None:
    made, given = properties(), index()
    (text, *others) = made["KeyIndices"]
    assert {one["Name"]: one["Type"] for one in text["JsonKeyIndices"]} == {
        path: key["type"] for path, key in given["keys"][TEXT]["json_keys"].items()
    }
    assert {one["Name"]: one["Type"] for one in (text, *others)} == {
        name: key["type"] for name, key in given["keys"].items()
    }
    assert list(made["FullTextIndex"]["Delimiter"]) == given["line"]["token"]


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_a_query_names_fields_that_there_are_and_takes_only_numbers_for_numbers(query: str) -> None:
    assert fields(query)
    assert fields(query) <= leaves().keys()
    assert {name: leaves()[name] for name in numeric(query)} == dict.fromkeys(numeric(query), "long")
    assert set(re.findall(r'"([^"]+)"', query.partition("|")[2])) == {
        f"{TEXT}.{name}" for name in fields(query.partition("|")[2])
    }
    parsed(query.partition("|")[0])


def test_every_query_is_used() -> None:
    used = set(queries())
    assert [name for name, query in QUERIES.items() if query.text not in used] == []


# --------------------------------------------------------------------------------------------------------------- shapes


def test_the_index_is_what_the_api_takes() -> None:
    given = kept("index")
    check("index", given)
    for key in given["keys"].values():
        check("key", key)
        for path in key.get("json_keys", {}).values():
            check("json_key", path)


def test_the_saved_searches_are_what_the_api_takes() -> None:
    for saved in kept("queries"):
        check("savedsearch", saved)
        assert 3 <= len(filled(saved["savedsearchName"])) <= 63


def test_the_dashboard_is_what_the_api_takes() -> None:
    given = kept("dashboard")
    check("dashboard", given)
    titles = [chart["title"] for chart in given["charts"]]
    assert len(set(titles)) == len(titles)
    for name in (filled(given["dashboardName"]), *titles):
        assert re.fullmatch(r"[0-9a-z][0-9a-z_-]{0,98}[0-9a-z]", name)


def test_no_chart_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for chart in kept("dashboard")["charts"]:
        place = chart["display"]
        cells = {
            (place["xPos"] + along, place["yPos"] + down)
            for along in range(place["width"])
            for down in range(place["height"])
        }
        assert not cells & taken
        assert place["xPos"] + place["width"] <= 24
        taken |= cells


@pytest.mark.parametrize("alert", kept("alerts"), ids=lambda alert: alert["name"].partition("-")[2])
def test_an_alert_is_what_the_api_takes(alert: dict[str, Any]) -> None:
    check("alert", alert)
    configuration = alert["configuration"]
    assert configuration["dashboard"] == kept("dashboard")["dashboardName"]
    assert all(one["severity"] in {2, 4, 6, 8, 10} for one in configuration["severityConfigurations"])
    assert 1 <= len(alert["displayName"]) <= 64
    (asked,) = configuration["queryList"]
    hours = {"m": 1 / 60, "h": 1}[asked["start"][-1]] * int(asked["start"][1:-1])
    assert hours <= 24  # the longest that an alert may look back
    said = " ".join(one["value"] for one in configuration["annotations"])
    columns = re.findall(r"as (\w+)", asked["query"])
    names = set(re.findall(r"\$\{(\w+)\}", said)) - {"ROTATOR_NAME"}
    assert names | set(configuration["groupConfiguration"]["fields"]) <= set(columns)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) for name in columns)


def test_an_alarm_is_what_the_api_takes() -> None:
    for alarm in kept("alarms"):
        check("alarm", alarm)
        assert isinstance(json.loads(alarm["Resources"]), list)
        assert all(isinstance(value, str) for value in alarm.values())  # as the command line passes them on


def filled(name: str) -> str:
    """Return a name with the longest prefix that a stack may have."""
    return name.replace(artefacts.PREFIX, "x" * 41)

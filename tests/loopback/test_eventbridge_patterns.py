from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.eventbridge.patterns import Pattern, PatternRefusedError

EVENT: dict[str, Any] = {
    "id": "1",
    "source": "acs.oss",
    "type": "oss:ActionTrail:ApiCall",
    "subject": "acs:oss:cn-hangzhou:1:b/1.jpg",
    "data": {
        "state": "running",
        "count": 5,
        "ratio": 0.5,
        "flag": True,
        "none": None,
        "empty": "",
        "tags": ["a", "b"],
        "ip": "10.0.0.7",
        "inner": {"key": "x"},
    },
}


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"source": ["acs.oss"]},
        {"source": ["acs.ecs", "acs.oss"]},
        {"source": ["acs.oss"], "data": {"state": ["running"]}},
        {"source": [{"prefix": "acs."}]},
        {"type": [{"suffix": ":ActionTrail:ApiCall"}]},
        {"type": [{"contains": "Trail"}]},
        {"data": {"state": [{"anything-but": "stopped"}]}},
        {"data": {"count": [{"anything-but": 4}]}},
        {"data": {"state": [{"anything-but": ["stopped", "overloaded"]}]}},
        {"data": {"state": [{"anything-but": {"prefix": "init"}}]}},
        {"data": {"count": [{"numeric": [">", 0, "<=", 5]}]}},
        {"data": {"count": [{"numeric": ["=", 5.0]}]}},
        {"data": {"count": [5]}},
        {"data": {"flag": [True]}},
        {"data": {"none": [None]}},
        {"data": {"empty": [""]}},
        {"data": {"tags": ["b"]}},
        {"data": {"tags": [{"prefix": "a"}]}},
        {"data": {"ip": [{"cidr": "10.0.0.0/24"}]}},
        {"data": {"absent": [{"exists": False}]}},
        {"data": {"state": [{"exists": True}]}},
        {"data": {"state": ["stopped", {"prefix": "run"}]}},
        {"data": {"inner": {"key": ["x"]}}},
    ],
    ids=json.dumps,
)
def test_an_event_that_a_pattern_is_about_matches(pattern: dict[str, Any]) -> None:
    assert Pattern.parse(json.dumps(pattern)).matches(EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["ACS.OSS"]},
        {"source": ["acs.oss"], "data": {"state": ["stopped"]}},
        {"absent": ["acs.oss"]},
        {"source": [{"prefix": "oss"}]},
        {"type": [{"suffix": "Api"}]},
        {"type": [{"contains": "trail"}]},
        {"data": {"count": [{"prefix": "5"}]}},
        {"data": {"state": [{"anything-but": "running"}]}},
        {"data": {"state": [{"anything-but": ["running", "x"]}]}},
        {"data": {"state": [{"anything-but": {"prefix": "run"}}]}},
        {"data": {"absent": [{"anything-but": "x"}]}},
        {"data": {"count": [{"numeric": [">", 5]}]}},
        {"data": {"state": [{"numeric": [">", 0]}]}},
        {"data": {"flag": [{"numeric": ["=", 1]}]}},
        {"data": {"flag": [1]}},
        {"data": {"count": ["5"]}},
        {"data": {"none": [""]}},
        {"data": {"empty": [None]}},
        {"data": {"absent": [None]}},
        {"data": {"tags": ["c"]}},
        {"data": {"ip": [{"cidr": "10.0.1.0/24"}]}},
        {"data": {"state": [{"cidr": "10.0.1.0/24"}]}},
        {"data": {"absent": [{"exists": True}]}},
        {"data": {"state": [{"exists": False}]}},
        {"source": {"inner": ["acs.oss"]}},
    ],
    ids=json.dumps,
)
def test_any_other_event_does_not(pattern: dict[str, Any]) -> None:
    assert not Pattern.parse(json.dumps(pattern)).matches(EVENT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is no object"),
        ('{"a": ["x"], "a": ["y"]}', "'a' stands twice"),
        ('{"source": "acs.oss"}', "at source: the value is a list"),
        ('{"source": []}', "at source: the value is a list"),
        ('{"data": {"state": 5}}', "at data.state: the value is a list"),
        ('{"data": {}}', "at data: an empty object"),
        ('{"source": [["x"]]}', "a list stands in a list"),
        ('{"source": [{"wildcard": "acs.*"}]}', "at source: the operator 'wildcard' is not known"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "one operator is expected, and found: prefix, suffix"),
        ('{"source": [{}]}', "one operator is expected, and found: none"),
        ('{"source": [{"prefix": 5}]}', "the operator takes a text"),
        ('{"source": [{"anything-but": {"suffix": "x"}}]}', "anything-but takes"),
        ('{"source": [{"anything-but": []}]}', "anything-but takes"),
        ('{"source": [{"anything-but": [null]}]}', "anything-but takes"),
        ('{"source": [{"numeric": [">"]}]}', "numeric takes one comparison or two"),
        ('{"source": [{"numeric": ["!=", 3]}]}', "numeric compares with"),
        ('{"source": [{"numeric": [">", "3"]}]}', "numeric compares with"),
        ('{"source": [{"cidr": "10.0.0.300/24"}]}', "cidr takes"),
        ('{"source": [{"exists": "yes"}]}', "exists takes true or false"),
    ],
)
def test_a_pattern_that_is_not_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(PatternRefusedError) as caught:
        Pattern.parse(text)
    assert said in str(caught.value)

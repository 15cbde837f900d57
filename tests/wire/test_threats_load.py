"""Attacks by size: events that would take all memory, all time or all of the log."""

from __future__ import annotations

from tests.deployment import ROOT
from tests.wire.threats import Attacked, threat

SIX_MEGABYTES = 6_000_000


@threat("Too large", tried="6 MB of `[0,0,0,0,…`: three million things that are no requests", ends="malformed-event")
def test_a_huge_list_of_nothing_is_refused_in_one_line(attacked: Attacked, ends: str) -> None:
    assert attacked.ends(b"[" + b"0," * (SIX_MEGABYTES // 2) + b"0]") == ends


@threat("Too large", tried="6 MB of one user name", ends="malformed-event")
def test_a_huge_user_name_is_refused_and_not_repeated(attacked: Attacked, ends: str) -> None:
    assert attacked.ends({"UserName": "a" * SIX_MEGABYTES}) == ends
    assert len(attacked.said) < 2_000


@threat("Too large", tried="200,000 keys in one object, to collide in its hash table", ends="unsupported-event")
def test_an_object_of_countless_keys_is_refused(attacked: Attacked, ends: str) -> None:
    assert attacked.ends({f"key-{number}": 0 for number in range(200_000)}) == ends
    assert len(attacked.said) < 3_000
    # Python makes up its hash anew in each process, so that nobody knows which keys collide; unless it is told not to.
    assert "PYTHONHASHSEED" not in (ROOT / "s.yaml").read_text(encoding="utf-8")


@threat("Too many", tried="an event with more than 10,000 requests", ends="malformed-event")
def test_more_requests_than_any_batch_has_are_refused_in_one_line(attacked: Attacked, ends: str) -> None:
    assert attacked.ends([{"UserName": f"user{number}"} for number in range(10_001)]) == ends


@threat("Too many", tried="one message of the queue with more than 1,000 requests", ends="malformed-event")
def test_more_requests_than_a_message_has_are_refused_in_one_line(attacked: Attacked, ends: str) -> None:
    assert attacked.ends([attacked.queue([{"UserName": "alice"}] * 1_001)]) == ends


@threat("Too deep", tried="100,000 brackets, a thousand objects, or 45 lists around a request", ends="malformed-event")
def test_what_is_nested_too_deeply_is_refused(attacked: Attacked, ends: str) -> None:
    assert attacked.ends(b"[" * 100_000) == ends
    assert attacked.ends(b"[" * 50_000 + b"]" * 50_000) == ends
    assert attacked.ends(b'{"data":' * 1_000 + b"1" + b"}" * 1_000) == ends
    assert attacked.ends(b"[" * 45 + b'{"UserName": "alice"}' + b"]" * 45) == ends


@threat(
    "Two readings",
    tried="a key twice in one object: a dry run for one reader, a rotation for the other",
    ends="malformed-event",
)
def test_a_key_that_occurs_twice_is_refused(attacked: Attacked, ends: str) -> None:
    assert attacked.ends(b'{"UserName": "alice", "DryRun": true, "DryRun": false}') == ends
    assert attacked.ends(b'{"UserName": "kelvin", "UserName": "alice"}') == ends
    assert attacked.ends(attacked.queue('{"UserName": "kelvin", "\\u0055serName": "alice"}')) == ends

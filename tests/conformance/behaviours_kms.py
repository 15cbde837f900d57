"""What KMS Secrets Manager is counted on for."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.conformance.bench import Bench
from tests.conformance.catalogue import behaviour
from tests.conformance.secrets import LARGEST
from tests.conformance.verdicts import ACCEPTED, answer_to, expect, expect_refusal

CURRENT, PREVIOUS = "ACSCurrent", "ACSPrevious"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NOT_FOUND = "404 Forbidden.ResourceNotFound"


@behaviour("KMS", "The first version of a secret is current")
def the_first_version(bench: Bench) -> None:
    name = bench.secrets.create()
    expect(bench.secrets.versions(name) == {"v1": {CURRENT}}, "other stages")
    expect(bench.secrets.read(name) == "first", "another value")


@behaviour("KMS", "A secret's name is given once")
def names_are_given_once(bench: Bench) -> None:
    name = bench.secrets.create()
    expect_refusal(lambda: bench.secrets.create("other", name=name), "409 Rejected.ResourceExist")
    expect(bench.secrets.read(name) == "first", "the value has changed")


@behaviour("KMS", "A version put without stages becomes current, and the one before it previous")
def puts_make_current(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second")
    expect(bench.secrets.versions(name) == {"v1": {PREVIOUS}, "v2": {CURRENT}}, "other stages")
    expect(bench.secrets.read(name) == "second", "another value is current")
    expect(bench.secrets.read(name, stage=PREVIOUS) == "first", "another value is previous")


@behaviour("KMS", "A version put with a stage of its own leaves the current one alone")
def custom_stages(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Pending")
    expect(bench.secrets.versions(name) == {"v1": {CURRENT}, "v2": {"Pending"}}, "other stages")
    expect(bench.secrets.read(name) == "first", "another value is current")
    expect(bench.secrets.read(name, stage="Pending") == "second", "another value is pending")
    expect(bench.secrets.read(name, version="v2") == "second", "another value has the id")


@behaviour("KMS", "The same put again succeeds and changes nothing")
def repeated_puts(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Pending")
    before = bench.secrets.versions(name)
    expect(answer_to(lambda: bench.secrets.put(name, "v2", "second", "Pending")) == ACCEPTED, "refused")
    expect(bench.secrets.versions(name) == before, "the versions have changed")


@behaviour("KMS", "A version is written once: another value under its id is refused, and the first one stays")
def versions_are_written_once(bench: Bench) -> None:
    name = bench.secrets.create()
    expect_refusal(lambda: bench.secrets.put(name, "v1", "other"))
    expect(bench.secrets.read(name, version="v1") == "first", "the value has changed")
    expect(bench.secrets.versions(name) == {"v1": {CURRENT}}, "the versions have changed")


@behaviour("KMS", "Of two puts of one new id with different values, made at once, exactly one is accepted")
def one_of_two_puts(bench: Bench) -> None:
    name = bench.secrets.create()
    values = ("left", "right")
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(answer_to, partial(bench.secrets.put, name, "v2", value)) for value in values]
        answers = [each.result() for each in asked]
    winners = [value for value, answer in zip(values, answers, strict=True) if answer == ACCEPTED]
    expect(len(winners) == 1, " and ".join(answers))
    expect([bench.secrets.read(name, version="v2")] == winners, "the value is the loser's")


@behaviour("KMS", "A listing leaves out versions without a stage, unless they are asked for")
def deprecated_versions(bench: Bench) -> None:
    name = bench.secrets.create()
    for number in (2, 3):
        bench.secrets.put(name, f"v{number}", f"value {number}")
    expect(set(bench.secrets.versions(name)) == {"v1", "v2", "v3"}, "not all are listed")
    expect(set(bench.secrets.versions(name, all_of_them=False)) == {"v2", "v3"}, "others are listed")


@behaviour("KMS", "A version is dated in UTC, to the second")
def versions_are_dated(bench: Bench) -> None:
    name = bench.secrets.create()
    (version,) = bench.secrets.listing(name).version_ids.version_id
    expect(TIME.fullmatch(version.create_time) is not None, f"CreateTime {version.create_time}")


@behaviour("KMS", "Ten versions are kept; the newest is among them")
def ten_versions(bench: Bench) -> None:
    name = bench.secrets.create()
    for number in range(2, 13):
        bench.secrets.put(name, f"v{number}", f"value {number}")
    kept = bench.secrets.versions(name)
    expect(len(kept) == 10, f"{len(kept)} are kept")
    expect(CURRENT in kept.get("v12", set()), "the newest is not current")


@behaviour("KMS", "A version without a stage that nobody keeps is not found any more")
def purged_versions(bench: Bench) -> None:
    name = bench.secrets.create()
    for number in range(2, 13):
        bench.secrets.put(name, f"v{number}", f"value {number}")
    expect_refusal(lambda: bench.secrets.read(name, version="v1"), NOT_FOUND)


@behaviour("KMS", "A stage is on one version at a time, and can be moved and taken away")
def stages_move(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Pending")
    bench.secrets.move(name, "Pending", to="v1", away_from="v2")
    expect(bench.secrets.versions(name) == {"v1": {CURRENT, "Pending"}, "v2": set()}, "other stages")
    bench.secrets.move(name, "Pending", away_from="v1")
    expect(bench.secrets.versions(name) == {"v1": {CURRENT}, "v2": set()}, "the stage is still there")


@behaviour("KMS", "A ninth stage is refused")
def nine_stages(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", *(f"Stage{number}" for number in range(7)))
    expect_refusal(lambda: bench.secrets.put(name, "v3", "third", "Stage8", "Stage9"))


@behaviour("KMS", "Any text comes back as it was written, up to 30,720 bytes")
def values_come_back(bench: Bench) -> None:
    name = bench.secrets.create("a b&c=~*é%2B\n\u2028{}")
    expect(bench.secrets.read(name) == "a b&c=~*é%2B\n\u2028{}", "another text")
    largest = "%" * LARGEST
    bench.secrets.put(name, "v2", largest)
    expect(bench.secrets.read(name) == largest, "another text, when it is long")
    expect_refusal(lambda: bench.secrets.put(name, "v3", largest + "%"))


@behaviour("KMS", "Unknown secrets, versions and stages are not found")
def unknown_names(bench: Bench) -> None:
    expect_refusal(lambda: bench.secrets.read(bench.secrets.name()), NOT_FOUND)
    expect_refusal(lambda: bench.secrets.versions(bench.secrets.name()), NOT_FOUND)
    name = bench.secrets.create()
    expect_refusal(lambda: bench.secrets.read(name, version="v9"), NOT_FOUND)
    expect_refusal(lambda: bench.secrets.read(name, stage="Nowhere"), NOT_FOUND)


@behaviour("KMS", "Tags are set one by one, shown when asked for, and found by their key and by their value")
def tags_are_kept(bench: Bench) -> None:
    name = bench.secrets.create()
    value = name.rpartition("-")[2] + "-value"
    bench.secrets.tag(name, {"Colour": "red", "RotatedAt": "2026-01-26T02:00:00Z"})
    bench.secrets.tag(name, {"Colour": value})
    tags = bench.secrets.tags(name)
    expect(tags.get("Colour") == value and tags.get("RotatedAt") == "2026-01-26T02:00:00Z", "other tags")
    expect(bench.eventually(lambda: name in bench.secrets.names("TagValue", value)), "not found by its value")
    expect(name in bench.secrets.names("TagKey", "Colour"), "not found by its key")
    bench.secrets.untag(name, "Colour")
    expect("Colour" not in bench.secrets.tags(name), "the tag is still there")


@behaviour("KMS", "A secret in deletion blocks its name, and comes back with its versions when it is restored")
def secrets_in_deletion(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.delete(name, for_good=False)
    expect_refusal(lambda: bench.secrets.create(name=name), "409 Rejected.ResourceInDeleteWindow")
    bench.secrets.restore(name)
    expect(bench.secrets.read(name) == "first", "another value")


@behaviour("KMS", "A secret deleted without a window is gone at once, and its name is free")
def deleted_secrets(bench: Bench) -> None:
    name = bench.secrets.create()
    bench.secrets.delete(name, for_good=True)
    expect_refusal(lambda: bench.secrets.read(name), NOT_FOUND)
    bench.secrets.create("second", name=name)
    expect(bench.secrets.read(name) == "second", "another value")

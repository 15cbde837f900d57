"""Which readings KMS follows where its documentation is silent."""

from __future__ import annotations

from tests.conformance.behaviours_kms import CURRENT, PREVIOUS
from tests.conformance.bench import Bench
from tests.conformance.catalogue import Reading, experiment
from tests.conformance.verdicts import ACCEPTED, UnclearError, answer_to

_KEPT = 10  # versions


@experiment("KMS")
def put_other_data(bench: Bench) -> Reading:
    """Put another value under an id that exists."""
    name = bench.secrets.create()
    return answer_to(lambda: bench.secrets.put(name, "v1", "other"))


@experiment("KMS")
def purge(bench: Bench) -> Reading:
    """Let an eleventh version arrive while the earliest one carries a stage."""
    name = bench.secrets.create()
    bench.secrets.move(name, "Kept", to="v1")
    _fill(bench, name)
    kept = bench.secrets.versions(name)
    gone = {"v1", "v2"} - kept.keys()
    if len(gone) != 1:
        message = f"of the two earliest versions {len(gone)} are gone"
        raise UnclearError(message)
    return "earliest" if gone == {"v1"} else "earliest-without-stage"


@experiment("KMS")
def purged_id_returns(bench: Bench) -> Reading:
    """Put an id that was there until a purge took it."""
    name = bench.secrets.create()
    _fill(bench, name)
    gone = {f"v{number}" for number in range(1, _KEPT + 2)} - bench.secrets.versions(name).keys()
    if not gone:
        message = "no version is gone"
        raise UnclearError(message)
    return answer_to(lambda: bench.secrets.put(name, min(gone), "anew")) == ACCEPTED


@experiment("KMS")
def repeated_put_moves_stages(bench: Bench) -> Reading:
    """Put the same value again, and name another stage."""
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Before")
    bench.secrets.put(name, "v2", "second", "After")
    return "After" in bench.secrets.versions(name)["v2"]


@experiment("KMS")
def stage_can_be_taken(bench: Bench) -> Reading:
    """Name a stage that is on another version: in a put, and in a move that does not say where it is."""
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Mine")
    put = answer_to(lambda: bench.secrets.put(name, "v3", "third", "Mine"))
    put_took = bench.secrets.holder(name, "Mine") == "v3"
    move = answer_to(lambda: bench.secrets.move(name, "Mine", to="v1"))
    move_took = bench.secrets.holder(name, "Mine") == "v1"
    if (put == ACCEPTED) is not put_took or (move == ACCEPTED) is not move_took:
        message = f"put: {put}, stage taken: {put_took}; move: {move}, stage taken: {move_took}"
        raise UnclearError(message)
    return _both(put=put_took, move=move_took)


@experiment("KMS")
def previous_follows(bench: Bench) -> Reading:
    """Make a version current by name: in a put, and in a move."""
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", CURRENT)
    put = bench.secrets.holder(name, PREVIOUS) == "v1"
    other = bench.secrets.create()
    bench.secrets.put(other, "v2", "second", "Next")
    bench.secrets.move(other, CURRENT, to="v2")
    move = bench.secrets.holder(other, PREVIOUS) == "v1"
    return _both(put=put, move=move)


@experiment("KMS")
def name_filter(bench: Bench) -> Reading:
    """Look for a secret by its name, then by the beginning of it."""
    name = bench.secrets.create()
    if not bench.eventually(lambda: name in bench.secrets.names("SecretName", name)):
        message = "the secret is not listed under its own name"
        raise UnclearError(message)
    return "prefix" if name in bench.secrets.names("SecretName", name[:-1]) else "exact"


@experiment("KMS")
def secret_in_deletion(bench: Bench) -> Reading:
    """Put, read and list a secret that waits for its deletion."""
    name = bench.secrets.create()
    bench.secrets.delete(name, for_good=False)
    answers = {
        answer_to(lambda: bench.secrets.put(name, "v2", "second")),
        answer_to(lambda: bench.secrets.read(name)),
        answer_to(lambda: bench.secrets.versions(name)),
    }
    if len(answers) > 1:
        raise UnclearError(", ".join(sorted(answers)))
    return answers.pop()


@experiment("KMS")
def data_type_counts(bench: Bench) -> Reading:
    """Put the same value again as binary data, which it could be."""
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "c2Vjb25k")
    return answer_to(lambda: bench.secrets.put(name, "v2", "c2Vjb25k", kind="binary")) != ACCEPTED


@experiment("KMS")
def wrong_remove_from(bench: Bench) -> Reading:
    """Take a stage off a version that does not carry it: by itself, and while it is moved."""
    name = bench.secrets.create()
    bench.secrets.put(name, "v2", "second", "Mine")
    bench.secrets.put(name, "v3", "third", "Other")
    by_itself = answer_to(lambda: bench.secrets.move(name, "Mine", away_from="v3"))
    if bench.secrets.holder(name, "Mine") != "v2":
        message = f"{by_itself}, and the stage is gone from the version that carried it"
        raise UnclearError(message)
    moved = answer_to(lambda: bench.secrets.move(name, "Mine", to="v1", away_from="v3"))
    found = {"ignored" if answer == ACCEPTED else "refused" for answer in (by_itself, moved)}
    if len(found) > 1:
        message = f"by itself: {by_itself}; while it is moved: {moved}"
        raise UnclearError(message)
    return found.pop()


def _fill(bench: Bench, name: str) -> None:
    """Put versions until there have been eleven."""
    for number in range(2, _KEPT + 2):
        bench.secrets.put(name, f"v{number}", f"value {number}")


def _both(*, put: bool, move: bool) -> bool:
    if put is not move:
        message = f"{put} in a put, {move} in a move".lower()
        raise UnclearError(message)
    return put

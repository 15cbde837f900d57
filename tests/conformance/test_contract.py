"""The contract on the loopback cloud: its behaviours hold, and experiments tell the readings of each switch apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace

from tests.conformance.bench import Bench
from tests.conformance.catalogue import BEHAVIOURS, BY_HAND, EXPERIMENTS, readings
from tests.conformance.gate import Pace
from tests.conformance.lies import LIES, LyingGate
from tests.conformance.plan import Cost
from tests.conformance.rehearsal import Stage
from tests.conformance.trials import SERVICES, Report, find_reading, spelt, try_behaviour, try_everything
from tests.evidence.plugin import Evidence
from tests.localcloud.switches import Switches


def test_every_behaviour_holds_and_every_experiment_tells_its_readings_apart(
    rehearsal: Stage, evidence: Evidence
) -> None:
    bench = rehearsal.bench()
    report = try_everything(bench)
    cost = Cost.of(bench)
    assert {result.tried: result.verdict for result in report.behaviours} == {
        behaviour.sentence: "holds" for behaviour in BEHAVIOURS
    }
    assert report.strange_fields == []
    found = {switch: found_under_each_reading(rehearsal, bench, switch) for switch in EXPERIMENTS}
    assert found == {switch: [spelt(value) for value in readings(switch)] for switch in EXPERIMENTS}
    evidence.publish("conformance", written(report, found, cost))


def found_under_each_reading(rehearsal: Stage, bench: Bench, switch: str) -> list[str]:
    """Return what an experiment finds in clouds that follow each reading of its switch."""
    found = []
    for value in readings(switch):
        rehearsal.cloud.switches = replace(Switches(), **{switch: value})
        found.append(find_reading(bench, switch).seen)
    rehearsal.cloud.switches = Switches()
    return found


def test_every_switch_has_an_experiment_or_a_reason_why_not() -> None:
    switches = {field.name for field in fields(Switches)}
    assert EXPERIMENTS.keys() | BY_HAND.keys() == switches
    assert not EXPERIMENTS.keys() & BY_HAND.keys()
    assert all(hand.needs and hand.how for hand in BY_HAND.values())


def test_each_behaviour_differs_where_a_service_does_not_have_it(rehearsal: Stage) -> None:
    pace = Pace(rehearsal.let_pass)
    found = {
        behaviour.sentence: try_behaviour(
            Bench(rehearsal.account, pace, LyingGate(rehearsal.account, pace, LIES[behaviour.sentence])), behaviour
        ).verdict
        for behaviour in BEHAVIOURS
    }
    assert found == dict.fromkeys(LIES, "differs")


def test_a_field_that_the_sdk_does_not_know_is_told(rehearsal: Stage) -> None:
    pace = Pace(rehearsal.let_pass)

    def lie(asked: object, honest: object) -> object:
        answer = honest()  # type: ignore[operator]  # it is a function
        answer["body"]["Invented"] = 1
        answer["body"]["User"]["Status"] = 7
        return answer

    bench = Bench(rehearsal.account, pace, LyingGate(rehearsal.account, pace, lie))
    bench.users.create()
    assert bench.gate.strange == {"CreateUser: .Invented", "CreateUser: .User.Status is no str"}


def written(report: Report, found: dict[str, list[str]], cost: Cost) -> str:
    """Return the section of docs/evidence.md."""
    counted = Counter(result.service for result in report.behaviours)
    told = [(EXPERIMENTS[switch].service, f"`{switch}`", _shown(values)) for switch, values in found.items()]
    hand = [(BY_HAND[switch].service, f"`{switch}`", BY_HAND[switch].needs) for switch in BY_HAND]
    return "\n\n".join(
        [
            f"`make test` tries {len(report.behaviours)} behaviours ("
            + ", ".join(f"{service} {counted[service]}" for service in SERVICES if counted[service])
            + f"), each also on a service that\nlacks it, and {len(found)} experiments under "
            f"{sum(map(len, found.values()))} readings. On a real account a run takes about "
            f"{cost.users} users,\n{cost.users_at_once} at a time, and {cost.secrets} secrets, "
            f"{cost.secrets_at_once} at a time.",
            Evidence.table(["Service", "Behaviour"], [(each.service, each.tried) for each in report.behaviours]),
            Evidence.table(["Service", "Switch", "Readings told apart"], sorted(told)),
            "Not by this suite:",
            Evidence.table(["Service", "Switch", "Needs"], hand),
        ]
    )


def _shown(values: list[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)

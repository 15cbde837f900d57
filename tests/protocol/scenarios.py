"""Random scenarios: everything that a run of the simulation depends on, drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from tests.localcloud.switches import Switches, values
from tests.protocol.cases import SWITCHES
from tests.protocol.world import beginnings

KINDS = ("crash-before", "refused", "crash-after", "lost", "late")


@dataclass(frozen=True)
class Scenario:
    """How many workers there are, in what world, and how hostile it is."""

    seed: int
    workers: int = 2
    staged: bool = False
    beginning: str = "no secret"
    faults: int = 4  # at most
    probability: float = 0.12  # of a fault, at each call
    pauses: float = 0.1  # their probability, wherever a worker can be held up
    foreign_writes: int = 0  # by somebody else, at any time
    kinds: tuple[str, ...] = KINDS
    within: float = 130  # seconds in which the workers begin
    switches: Switches = Switches()  # noqa: RUF009 - frozen
    only: frozenset[int] | None = None  # the faults and pauses, by their number, that happen after all; None: all
    absent: frozenset[int] = frozenset()  # workers that are not there after all

    @classmethod
    def drawn(cls, seed: int) -> Scenario:
        """Return the scenario of a seed."""
        random = Random(seed)  # noqa: S311 - reproducible, not secret
        foreign = random.random() < 0.15
        return cls(
            seed,
            workers=random.choice((2, 2, 3, 3, 4)),
            staged=random.random() < 0.5,
            beginning=random.choice(sorted(beginnings())),
            faults=random.choice((2, 4, 8, 30)),
            probability=random.choice((0.08, 0.15, 0.25, 0.4)),
            pauses=random.choice((0.03, 0.1, 0.25)),
            foreign_writes=random.randint(1, 3) if foreign else 0,
            kinds=random.choice((KINDS, KINDS, ("late",), ("lost", "late"))),
            within=random.choice((2, 20, 130, 400)),
            switches=Switches(**{name: random.choice(values(name)) for name in SWITCHES}),
        )

    def __str__(self) -> str:
        """Return what is not as usual, in words."""
        usual = Scenario(self.seed)
        odd = [each.name for each in fields(self) if getattr(self, each.name) != getattr(usual, each.name)]
        shown = {name: _shown(getattr(self, name)) for name in odd if name not in ("only", "absent")}
        return f"seed {self.seed}: " + ", ".join(f"{name} {value}" for name, value in shown.items())

    def but(self, **changes: Any) -> Scenario:  # noqa: ANN401 - any field's value
        """Return the same scenario with changes."""
        return replace(self, **changes)


def _shown(value: object) -> object:
    if not isinstance(value, Switches):
        return value
    return {each.name: getattr(value, each.name) for each in fields(value) if getattr(value, each.name) != each.default}

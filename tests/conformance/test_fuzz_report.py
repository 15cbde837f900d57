"""What is fuzzed, and how often: the table of docs/evidence.md, from the tests themselves."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.evidence.plugin import Evidence
from tests.loopback import test_signature_properties
from tests.unit import test_events_equivalences, test_events_properties
from tests.wire import test_garbage, test_garbage_status

FUZZED = {
    "reading an event": (test_events_properties, test_events_equivalences),
    "the whole function": (test_garbage,),
    "the function that shows the state": (test_garbage_status,),
    "the loopback cloud's signatures": (test_signature_properties,),
}


def test_every_property_is_tried_with_so_many_examples(evidence: Evidence) -> None:
    rows = [row for what, modules in FUZZED.items() for module in modules for row in properties(what, module)]
    assert len(rows) > 30
    evidence.publish("fuzz", Evidence.table(["Fuzzed", "Property", "Examples"], rows))


@pytest.mark.parametrize("module", [module for modules in FUZZED.values() for module in modules])
def test_each_module_has_properties(module: ModuleType) -> None:
    assert list(properties("", module))


def properties(what: str, module: ModuleType) -> Iterator[tuple[str, str, int]]:
    """Yield each property that hypothesis tries, and the number of examples that it is tried with."""
    for name, test in vars(module).items():
        if name.startswith("test_") and getattr(test, "is_hypothesis_test", False):
            settings = test._hypothesis_internal_use_settings
            yield what, name.removeprefix("test_").replace("_", " "), settings.max_examples

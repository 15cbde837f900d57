"""Asks a function about itself once it has answered its first event, without changing its code.

Another module stands in for its entry points, and calls them: the code folder and the environment are the same.
"""

from __future__ import annotations

import os
from dataclasses import replace

from tests.bench import folders
from tests.localcloud.fc.functions import FunctionSpec


def standing_in_for(function: FunctionSpec) -> FunctionSpec:
    """Return the function with probe.py in its handler's place, which answers what it has imported."""
    return _instead(function, "probe")


def phases_of(function: FunctionSpec) -> FunctionSpec:
    """Return the function with phases.py in its entry points' places, which answers what each phase took."""
    stands_in = _instead(function, "phases")
    if function.initializer is None:
        return stands_in
    environment = {**stands_in.environment, "PROBED_INITIALIZER": function.initializer}
    return replace(stands_in, initializer="phases.initialize", environment=environment)


def _instead(function: FunctionSpec, script: str) -> FunctionSpec:
    path = os.pathsep.join(filter(None, [function.environment.get("PYTHONPATH"), str(folders.script(script))]))
    environment = {**function.environment, "PYTHONPATH": path, "PROBED": function.handler}
    name, handler = f"{function.name}-{script}", f"{script}.handler"
    return replace(function, name=name, handler=handler, environment=environment, asynchronous=None)

"""Asks a function which modules it has imported once it has answered its first event, without changing its code."""

from __future__ import annotations

import os
from dataclasses import replace

from tests.bench import folders
from tests.localcloud.fc.functions import FunctionSpec


def standing_in_for(function: FunctionSpec) -> FunctionSpec:
    """Return the function with probe.py in its handler's place: the same code folder, initializer and environment."""
    path = os.pathsep.join(filter(None, [function.environment.get("PYTHONPATH"), str(folders.script("probe"))]))
    environment = {**function.environment, "PYTHONPATH": path, "PROBED": function.handler}
    return replace(
        function,
        name=f"{function.name}-probed",
        handler="probe.handler",
        environment=environment,
        asynchronous=None,
    )

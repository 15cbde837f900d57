"""What EventBridge stands between."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.localcloud.eventbridge.events import Origin
from tests.localcloud.fc.backend import Backend
from tests.localcloud.smq.service import Smq
from tests.localcloud.switches import Switches
from tests.localcloud.timeline import Timeline


@dataclass(frozen=True)
class Connections:
    """The rest of the cloud, as EventBridge, topics and timers need it. All random delays are drawn from `source`."""

    timeline: Timeline
    smq: Smq
    backend: Callable[[], Backend]
    switches: Callable[[], Switches]
    origin: Origin
    source: random.Random = field(default_factory=random.Random)

"""A manifest's functions and triggers, brought to life: what `s deploy` does, and as strict as the manifest itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.service import EventBridge
from tests.localcloud.fc.backend import AsyncConfig
from tests.localcloud.fc.declared import DeclaredFunction, DeclaredTrigger
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.http_triggers import HttpTriggers
from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.fc.platform import Functions
from tests.localcloud.fc.props import AsyncInvoke, EventBridgeConfig, HttpConfig, Log, TimerConfig, TopicConfig
from tests.localcloud.fc.timers import Timers
from tests.localcloud.fc.topics import TopicTriggers
from tests.localcloud.fc.variables import ManifestRefusedError

Policies = Mapping[str, Sequence[Mapping[str, Any]]]  # of roles, by name


class Deployer:
    """What deploys into one cloud, and knows what it deployed before."""

    def __init__(
        self,
        functions: Functions,
        connections: Connections,
        eventbridge: EventBridge,
        timers: Timers,
        http: HttpTriggers,
    ) -> None:
        self.topics = TopicTriggers(connections)
        self._functions = functions
        self._connections = connections
        self._eventbridge = eventbridge
        self._timers = timers
        self._http = http
        self._undo: dict[str, list[Callable[[], object]]] = {}  # the triggers of a function, by its name

    def deploy(self, manifest: Manifest, policies: Policies) -> None:
        """Deploy every function, then every trigger: what a queue holds already goes to functions that are there.

        Roles, queues and topics are there before, as in reality: `s deploy` creates none of them.
        """
        self._check(manifest, policies)
        for name, documents in policies.items():
            self._functions.add_role(name, *documents)
        with self._connections.timeline.busy():
            for function in manifest.functions:
                for undo in self._undo.pop(function.name, []):
                    undo()
                self._functions.deploy(spec(function))
            for function in manifest.functions:
                self._undo[function.name] = [self._trigger(function, each) for each in function.triggers]

    def _check(self, manifest: Manifest, policies: Policies) -> None:
        here = self._functions.place.region
        if manifest.region != here:
            raise ManifestRefusedError("region", f"is {manifest.region}; Function Compute of this cloud is in {here}")
        unknown = sorted(manifest.roles() - policies.keys())
        if unknown:
            raise ManifestRefusedError("role", f"there is no role {', '.join(unknown)}")
        for function in manifest.functions:
            for address in function.addresses():
                if not self._connections.smq.has(address):
                    reason = f"{address.name} of {address.kind} does not exist"
                    raise ManifestRefusedError(f"resources.{function.resource}", reason)

    def _trigger(self, function: DeclaredFunction, declared: DeclaredTrigger) -> Callable[[], object]:
        """Deploy a trigger; return what removes it."""
        target, name, config = spec(function).target, declared.name, declared.config
        if isinstance(config, EventBridgeConfig):
            self._eventbridge.deploy(target, name, config)
            return partial(self._eventbridge.remove, target, name)
        if isinstance(config, TimerConfig):
            self._timers.deploy(target, name, config)
            return partial(self._timers.remove, target, name)
        if isinstance(config, HttpConfig):
            self._http.deploy(target, name, config)
            return partial(self._http.remove, target, name)
        return self._subscription(function, declared, config)

    def _subscription(
        self, function: DeclaredFunction, declared: DeclaredTrigger, config: TopicConfig
    ) -> Callable[[], object]:
        target, topic = spec(function).target, declared.topic.name if declared.topic else ""
        self.topics.deploy(target, declared.name, topic, config)
        return partial(self.topics.remove, target, declared.name, topic)


def spec(function: DeclaredFunction) -> FunctionSpec:
    """Return a function as Function Compute has it."""
    props = function.props
    initializer, log = props.instance_lifecycle_config.initializer, props.log_config
    return FunctionSpec(
        name=function.name,
        code=function.code,
        handler=props.handler,
        runtime=props.runtime,
        initializer=initializer.handler if initializer else None,
        initializer_timeout=initializer.timeout if initializer else 3,
        timeout=props.timeout,
        memory=props.memory_size,
        environment=props.environment_variables,
        role=props.role,
        reserved_concurrency=props.concurrency_config.reserved_concurrency if props.concurrency_config else None,
        asynchronous=_asynchronous(props.async_invoke_config),
        log_store=f"project/{log.project}/logstore/{log.logstore}" if isinstance(log, Log) else None,
    )


def _asynchronous(config: AsyncInvoke | None) -> AsyncConfig | None:
    if config is None:
        return None
    ends = config.destination_config
    return AsyncConfig(
        max_retry_attempts=config.max_async_retry_attempts,
        max_event_age=config.max_async_event_age_in_seconds,
        task=config.async_task,
        on_success=ends.on_success.destination if ends.on_success else None,
        on_failure=ends.on_failure.destination if ends.on_failure else None,
    )

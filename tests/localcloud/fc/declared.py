"""A function and its triggers as a manifest declares them, with everything checked that spans more than one value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.localcloud.eventbridge.patterns import Pattern, PatternRefusedError
from tests.localcloud.fc.cron import Schedule, ScheduleRefusedError
from tests.localcloud.fc.document import converted
from tests.localcloud.fc.functions import ZIP
from tests.localcloud.fc.props import (
    CONFIGS,
    NOT_CARRIED_OUT,
    OTHER_TRIGGERS,
    EventBridgeConfig,
    HttpConfig,
    Props,
    TimerConfig,
    TopicConfig,
    Trigger,
)
from tests.localcloud.fc.variables import ManifestRefusedError
from tests.localcloud.smq.arns import Address

Config = TimerConfig | TopicConfig | EventBridgeConfig | HttpConfig


@dataclass(frozen=True)
class DeclaredTrigger:
    """A trigger, with its config as its type has it."""

    trigger: Trigger
    config: Config

    @property
    def name(self) -> str:
        """Its name, unique within its function."""
        return self.trigger.trigger_name

    @property
    def topic(self) -> Address | None:
        """The topic of an mns_topic trigger."""
        return Address.parse(self.trigger.source_arn or "") if isinstance(self.config, TopicConfig) else None


@dataclass(frozen=True)
class DeclaredFunction:
    """A function, with everything filled in."""

    resource: str
    props: Props = field(repr=False)  # with the environment, and what may be in it
    code: Path
    account_id: str
    triggers: tuple[DeclaredTrigger, ...]

    @property
    def name(self) -> str:
        """The name by which it is invoked."""
        return self.props.function_name

    @property
    def role_name(self) -> str | None:
        """The bare name of its role."""
        role = self.props.role
        return role.rpartition("/")[2] if role else None

    def addresses(self) -> Iterator[Address]:
        """Yield every queue and topic that must be there before it is deployed."""
        policy = self.props.async_invoke_config
        if policy:
            for end in (policy.destination_config.on_success, policy.destination_config.on_failure):
                if end and end.destination.startswith("acs:mns:"):
                    yield Address.parse(end.destination)
        for declared in self.triggers:
            if declared.topic:
                yield declared.topic
            if isinstance(declared.config, EventBridgeConfig):
                yield from self._of_eventbridge(declared.config)

    def _of_eventbridge(self, config: EventBridgeConfig) -> Iterator[Address]:
        queue = config.event_source_config.event_source_parameters.queue
        if queue:
            yield Address("queues", queue.queue_name, queue.region_id or self.props.region, self.account_id)
        if config.run_options.dead_letter_queue:
            yield Address.parse(config.run_options.dead_letter_queue.arn)


@dataclass(frozen=True)
class Declaring:
    """What the functions of one manifest have in common: where their code is, and whose account they are in."""

    folder: Path
    account_id: str

    def function(self, name: str, raw: dict[str, Any], place: str) -> DeclaredFunction:
        """Return one function, or raise ManifestRefusedError."""
        unsupported = sorted(NOT_CARRIED_OUT & raw.keys())
        if unsupported:
            raise ManifestRefusedError(f"{place}.{unsupported[0]}", "is known to fc3, and not carried out here")
        variables = raw.get("environmentVariables")
        if isinstance(variables, dict):
            for key, value in variables.items():
                converted(value, str, f"{place}.environmentVariables.{key}")
        props = converted(raw, Props, place)
        code = self.folder / str(props.code)
        if code.suffix != ZIP and not code.is_dir():  # a zip may be what an action is about to make
            raise ManifestRefusedError(f"{place}.code", f"{props.code} is no folder")
        self._check_role(props.role, f"{place}.role")
        triggers = tuple(
            self._trigger(trigger, props, f"{place}.triggers[{index}]") for index, trigger in enumerate(props.triggers)
        )
        self._check_destinations(props, f"{place}.asyncInvokeConfig.destinationConfig")
        return DeclaredFunction(name, props, code, self.account_id, triggers)

    def _trigger(self, trigger: Trigger, props: Props, place: str) -> DeclaredTrigger:
        kind = CONFIGS.get(trigger.trigger_type)
        if kind is None:
            known = trigger.trigger_type in OTHER_TRIGGERS
            reason = "is known to fc3, and not carried out here" if known else f"is none of {', '.join(CONFIGS)}"
            raise ManifestRefusedError(f"{place}.triggerType", f"{trigger.trigger_type} {reason}")
        config = converted(trigger.trigger_config, kind, f"{place}.triggerConfig")
        if isinstance(config, TopicConfig):
            self._address(trigger.source_arn or "", props, "topics", f"{place}.sourceArn")
        elif trigger.source_arn is not None:
            raise ManifestRefusedError(f"{place}.sourceArn", f"is not for a trigger of type {trigger.trigger_type}")
        if isinstance(config, TimerConfig):
            self._check_schedule(config, f"{place}.triggerConfig.cronExpression")
        if isinstance(config, EventBridgeConfig):
            self._check_eventbridge(config, props, f"{place}.triggerConfig")
        if isinstance(config, HttpConfig) and config.auth_type != "function":
            reason = f"{config.auth_type} is known to fc3, and not carried out here"
            raise ManifestRefusedError(f"{place}.triggerConfig.authType", reason)
        self._check_role(trigger.invocation_role, f"{place}.invocationRole")
        return DeclaredTrigger(trigger, config)

    @staticmethod
    def _check_schedule(config: TimerConfig, place: str) -> None:
        try:
            Schedule.parse(config.cron_expression)
        except ScheduleRefusedError as problem:
            reason = str(problem)
        else:
            return
        raise ManifestRefusedError(place, reason)

    def _check_eventbridge(self, config: EventBridgeConfig, props: Props, place: str) -> None:
        try:
            Pattern.parse(config.event_rule_filter_pattern)
        except PatternRefusedError as problem:
            reason = str(problem)
        else:
            reason = ""
        if reason:
            raise ManifestRefusedError(f"{place}.eventRuleFilterPattern", reason)
        queue = config.event_source_config.event_source_parameters.queue
        if queue and queue.region_id not in (None, props.region):
            where = f"{place}.eventSourceConfig.eventSourceParameters.sourceMNSParameters.RegionId"
            raise ManifestRefusedError(where, f"is {queue.region_id}, and the function is in {props.region}")
        if config.run_options.dead_letter_queue:
            arn = config.run_options.dead_letter_queue.arn
            self._address(arn, props, "queues", f"{place}.runOptions.deadLetterQueue.Arn")

    def _check_destinations(self, props: Props, place: str) -> None:
        policy = props.async_invoke_config
        ends = policy.destination_config if policy else None
        for key, end in (("onSuccess", ends and ends.on_success), ("onFailure", ends and ends.on_failure)):
            where = f"{place}.{key}.destination"
            if end and end.destination.startswith("acs:mns:"):
                self._address(end.destination, props, None, where)
            elif end and not end.destination.startswith(f"acs:fc:{props.region}:{self.account_id}:functions/"):
                reason = f"is no queue, no topic and no function of {props.region} and account {self.account_id}"
                raise ManifestRefusedError(where, reason)

    def _address(self, arn: str, props: Props, kind: str | None, place: str) -> None:
        """Hold that an ARN names a queue or a topic where the function is: another region's would not be found."""
        try:
            address = Address.parse(arn)
        except ValueError as problem:
            reason = str(problem)
        else:
            if (address.region, address.account_id) != (props.region, self.account_id):
                reason = f"is in {address.region} of {address.account_id}, not in {props.region} of {self.account_id}"
            elif kind not in (None, address.kind):
                reason = f"is one of {address.kind}, and must be one of {kind}"
            else:
                return
        raise ManifestRefusedError(place, reason)

    def _check_role(self, role: str | None, place: str) -> None:
        if role is not None and ":" in role and not role.startswith(f"acs:ram::{self.account_id}:role/"):
            raise ManifestRefusedError(place, f"{role} is no role of account {self.account_id}")

"""What `cloud.eventbridge` is: the bus `default` and the streams from queues, as functions' triggers declare them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.localcloud.api import ApiError
from tests.localcloud.eventbridge import events
from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.ends import Ends
from tests.localcloud.eventbridge.patterns import Pattern
from tests.localcloud.eventbridge.push import Lane, Strategy
from tests.localcloud.eventbridge.rules import Rule
from tests.localcloud.eventbridge.streams import Shape, Stream, Terms
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.props import BatchWindow, EventBridgeConfig, RunOptions


class EventBridge:
    """The rules and streams of one account in one region."""

    def __init__(self, connections: Connections) -> None:
        self.ends = Ends()
        self._connections = connections
        self._rules: dict[str, Rule] = {}
        self._streams: dict[str, Stream] = {}

    def put(self, event: Mapping[str, Any]) -> str:
        """Put an event onto the bus; return its id. Every rule that is about it gets it."""
        made = events.of_put(event, self._connections.timeline.now(), self._connections.origin)
        with self._connections.timeline.busy():
            for rule in list(self._rules.values()):
                rule.offer(made)
        return str(made["id"])

    def deploy(self, target: Target, trigger: str, config: EventBridgeConfig) -> None:
        """Create the rule or the stream of a function's trigger, in place of an earlier one of this name."""
        name = trigger_name(target, trigger)
        self.remove(target, trigger)
        if not config.trigger_enable:
            return
        queue = config.event_source_config.event_source_parameters.queue
        if queue is None:
            self._rules[name] = self._rule(name, target, config)
        else:
            stream = self._stream(name, target, config)
            self._streams[name] = stream
            stream.start()

    def remove(self, target: Target, trigger: str) -> None:
        """Remove the rule or the stream of a function's trigger, if there is one."""
        name = trigger_name(target, trigger)
        self._rules.pop(name, None)
        stream = self._streams.pop(name, None)
        if stream:
            stream.stop()

    def blocked(self) -> list[str]:
        """Return the names ("function/trigger") of the streams that a failure has blocked."""
        return [name for name, stream in self._streams.items() if stream.blocked]

    def resume(self, function: str, trigger: str) -> None:
        """Let a blocked stream go on, with the batch that failed."""
        stream = self._streams.get(f"{function}/{trigger}")
        if stream is None:
            raise ApiError(404, "EventStreamingNotExist", f"There is no stream {function}/{trigger}.")
        stream.resume()

    def _rule(self, name: str, target: Target, config: EventBridgeConfig) -> Rule:
        dead_letters = config.run_options.dead_letter_queue
        return Rule(
            name,
            Pattern.parse(config.event_rule_filter_pattern),
            lambda: self._lane(target, config),
            raw=config.event_sink_config.delivery_option.event_schema == "RawData",
            dead_letters=lambda: (
                dead_letters.arn if dead_letters and self._connections.switches().run_options_of_rules else None
            ),
            smq=self._connections.smq,
            ends=self.ends,
        )

    def _stream(self, name: str, target: Target, config: EventBridgeConfig) -> Stream:
        queue = config.event_source_config.event_source_parameters.queue
        if queue is None:
            msg = f"{name} has no queue"
            raise ValueError(msg)
        delivery, options = config.event_sink_config.delivery_option, config.run_options
        shape = Shape(
            Pattern.parse(config.event_rule_filter_pattern),
            self._connections.origin,
            bus=f"MNS-Function-{name.rpartition('/')[2]}",
            base64=queue.is_base64_decode,
            raw=delivery.event_schema == "RawData",
            array=options.mode == "event-streaming",
        )
        return Stream(
            name,
            self._connections.smq.queue(queue.queue_name),
            lambda: self._lane(target, config),
            shape,
            lambda: self._terms(options, delivery.concurrency),
            self._connections,
            self.ends,
        )

    def _terms(self, options: RunOptions, concurrency: int) -> Terms:
        """Return the terms under the readings in force."""
        slots = concurrency if self._connections.switches().queue_concurrency else 1
        if options.mode == "event-driven" and not self._connections.switches().run_options_of_rules:
            return Terms(count=1, seconds=0, slots=slots, tolerant=True)
        window = options.batch_window or BatchWindow()
        tolerant = options.errors_tolerance == "ALL" or options.mode == "event-driven"
        dead_letters = options.dead_letter_queue.arn if options.dead_letter_queue else None
        return Terms(window.count_based_window, window.time_based_window, slots, tolerant, dead_letters)

    def _lane(self, target: Target, config: EventBridgeConfig) -> Lane:
        """Return the way to a function under the readings in force."""
        retry = config.run_options.retry_strategy
        heeded = config.run_options.mode == "event-streaming" or self._connections.switches().run_options_of_rules
        strategy: Strategy = retry.push_retry_strategy if retry and heeded else "BACKOFF_RETRY"
        true_is_async = self._connections.switches().async_invocation_type == "true is async"
        return Lane(self._connections, target, config.async_invocation_type == true_is_async, strategy)


def trigger_name(target: Target, trigger: str) -> str:
    """Return what a trigger is called in this cloud."""
    return f"{target.function}/{trigger}"

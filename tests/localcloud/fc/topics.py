"""Triggers of type mns_topic: what is published to a topic becomes an asynchronous invocation.

Source: "Formats of event for different triggers" and "SMQ topic triggers" pages. STREAM is the body as it is, or body
and attributes where there are any; JSON has the attributes beside the system's own fields.
"""

from __future__ import annotations

import json

from tests.localcloud.eventbridge.connections import Connections
from tests.localcloud.eventbridge.ends import Ended, Ends
from tests.localcloud.eventbridge.push import Lane, Push
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.props import TopicConfig
from tests.localcloud.smq.topics import Published, Subscription


class TopicTriggers:
    """The subscriptions of functions."""

    def __init__(self, connections: Connections) -> None:
        self.ends = Ends()
        self._connections = connections

    def deploy(self, target: Target, name: str, topic: str, config: TopicConfig) -> None:
        """Subscribe a function to a topic, in place of an earlier subscription of this name."""
        lane = Lane(self._connections, target, asynchronous=True, strategy=config.notify_strategy)
        called = f"{target.function}/{name}"

        def deliver(published: Published) -> None:
            payload = self._payload(published, topic, name, config)
            push = Push(lane, payload.encode(), lambda failure: self._done(called, published, push, failure))
            push.start()

        self._connections.smq.topic(topic).subscribe(Subscription(called, deliver, config.filter_tag))

    def remove(self, target: Target, name: str, topic: str) -> None:
        """End a subscription."""
        self._connections.smq.topic(topic).unsubscribe(f"{target.function}/{name}")

    def _payload(self, published: Published, topic: str, name: str, config: TopicConfig) -> str:
        message = published.message
        if config.notify_content_format == "STREAM":
            if not published.attributes:
                return message.body
            return json.dumps({"body": message.body, "attrs": dict(published.attributes)}, ensure_ascii=False)
        account_id = self._connections.origin.account_id
        fields = {
            "TopicOwner": account_id,
            "Message": message.body,
            "Subscriber": account_id,
            "PublishTime": int(message.published.timestamp() * 1000),
            "SubscriptionName": name,
            "MessageMD5": message.md5,
            "TopicName": topic,
            "MessageId": message.id,
        }
        return json.dumps({**fields, **published.attributes}, ensure_ascii=False)

    def _done(self, called: str, published: Published, push: Push, failure: str | None) -> None:
        end = Ended(
            called,
            "dropped" if failure else "delivered",
            (published.message.id,),
            tuple(push.failures),
            self._connections.timeline.now(),
        )
        self.ends.add(end)

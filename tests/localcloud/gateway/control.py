"""The cloud's own controls, for other processes: what a test in the same process does on LocalCloud directly.

They answer under /_localcloud/, on loopback like everything here, and only to who knows the token of this start: the
demo's sign-in tries passwords, and a browser page must not be able to.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.smq.queues import Message
from tests.localcloud.switches import Switches

if TYPE_CHECKING:
    from tests.localcloud.server import LocalCloud

FARTHEST_SHIFT = 10 * 366 * 86_400.0  # seconds: every timer fires once for each of its instants on the way

Endpoint = Callable[[Request], Awaitable[JSONResponse]]
Control = Callable[[bytes], object]


class _SignIn(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    user_name: str
    password: str


class _Change(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    user_name: str
    old_password: str
    new_password: str


class _Shift(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    seconds: Annotated[float, Meta(ge=-FARTHEST_SHIFT, le=FARTHEST_SHIFT)]


class _Queue(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    queue_name: str


class _Send(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    queue_name: str
    body: str
    encoded: bool = False  # base64, as the Python SDK sends by default


class _Publish(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    topic_name: str
    body: str
    attributes: dict[str, str] = {}
    tag: str = ""


class _Fire(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    function_name: str
    trigger_name: str


class Controls:
    """What each control does; every one takes the request's body and returns what becomes JSON."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def sign_in(self, body: bytes) -> object:
        """Try a password at the user portal."""
        wanted = msgspec.json.decode(body, type=_SignIn)
        return asdict(self._cloud.sign_in(wanted.user_name, wanted.password))

    def change_password(self, body: bytes) -> object:
        """Change a user's own password at the user portal."""
        wanted = msgspec.json.decode(body, type=_Change)
        return asdict(self._cloud.change_password(wanted.user_name, wanted.old_password, wanted.new_password))

    def arm(self, body: bytes) -> object:
        """Arm a fault, given as the fields of faults.Fault; `body` is base64."""
        self._cloud.faults.arm(msgspec.convert(_known_fields(body, Fault), Fault))
        return {"armed": True}

    def disarm(self, _body: bytes) -> object:
        """Disarm every fault and hook."""
        self._cloud.faults.clear()
        return {"armed": False}

    def shift_clock(self, body: bytes) -> object:
        """Move the cloud's clock."""
        self._cloud.clock.shift(msgspec.json.decode(body, type=_Shift).seconds)
        return {"now": self._cloud.clock.now().isoformat()}

    def switches(self, _body: bytes) -> object:
        """Return the readings in force."""
        return asdict(self._cloud.switches)

    def set_switches(self, body: bytes) -> object:
        """Change the switches that are named; the others stay."""
        merged = asdict(self._cloud.switches) | _known_fields(body, Switches)
        self._cloud.switches = msgspec.convert(merged, Switches)
        return asdict(self._cloud.switches)

    def release_late(self, _body: bytes) -> object:
        """Let every late call happen."""
        return {"released": self._cloud.release_late()}

    def calls(self, _body: bytes) -> object:
        """Return the log of calls."""
        return self._cloud.calls.as_json()

    def clear_calls(self, _body: bytes) -> object:
        """Forget the log of calls."""
        self._cloud.calls.clear()
        return []

    def create_queue(self, body: bytes) -> object:
        """Create a queue; one that exists is left as it is."""
        return {"QueueName": self._cloud.smq.create_queue(msgspec.json.decode(body, type=_Queue).queue_name).name}

    def queues(self, _body: bytes) -> object:
        """Return every queue with its messages, hidden ones too."""
        return {queue.name: [_shown(message) for message in queue.messages()] for queue in self._cloud.smq.queues()}

    def send(self, body: bytes) -> object:
        """Send a message to a queue."""
        wanted = msgspec.json.decode(body, type=_Send)
        return {"MessageId": self._cloud.smq.queue(wanted.queue_name).send(wanted.body, encoded=wanted.encoded).id}

    def topics(self, _body: bytes) -> object:
        """Return every topic with what was published."""
        topics = self._cloud.smq.topics()
        return {topic.name: [_shown(each.message) for each in topic.published] for topic in topics}

    def publish(self, body: bytes) -> object:
        """Publish a message to a topic."""
        wanted = msgspec.json.decode(body, type=_Publish)
        return {
            "MessageId": self._cloud.smq.publish(wanted.topic_name, wanted.body, wanted.attributes, tag=wanted.tag).id
        }

    def put_event(self, body: bytes) -> object:
        """Put an event onto the event bus."""
        return {"EventId": self._cloud.eventbridge.put(msgspec.json.decode(body, type=dict[str, Any]))}

    def deliveries(self, _body: bytes) -> object:
        """Return how the deliveries of streams, rules and topics ended."""
        return [asdict(ended) for ended in (*self._cloud.eventbridge.ends, *self._cloud.deployer.topics.ends)]

    def fire(self, body: bytes) -> object:
        """Fire a timer now."""
        wanted = msgspec.json.decode(body, type=_Fire)
        return {"RequestId": self._cloud.fc.fire(wanted.function_name, wanted.trigger_name)}

    def triggers(self, _body: bytes) -> object:
        """Return where the HTTP triggers answer."""
        urls = self._cloud.http.urls()
        return [{"FunctionName": function, "TriggerName": name, "URL": url} for (function, name), url in urls.items()]

    def logs(self, _body: bytes) -> object:
        """Return what the functions have logged."""
        return [asdict(record) for record in self._cloud.fc.logs()]


def control_mount(cloud: LocalCloud, token: str) -> Mount:
    """Return the routes of all controls."""
    controls = Controls(cloud)
    table: list[tuple[str, str, Control]] = [
        ("/sign-in", "POST", controls.sign_in),
        ("/change-password", "POST", controls.change_password),
        ("/faults", "POST", controls.arm),
        ("/faults", "DELETE", controls.disarm),
        ("/clock", "POST", controls.shift_clock),
        ("/switches", "GET", controls.switches),
        ("/switches", "POST", controls.set_switches),
        ("/release-late", "POST", controls.release_late),
        ("/calls", "GET", controls.calls),
        ("/calls", "DELETE", controls.clear_calls),
        ("/queues", "GET", controls.queues),
        ("/queues", "POST", controls.create_queue),
        ("/messages", "POST", controls.send),
        ("/topics", "GET", controls.topics),
        ("/topics", "POST", controls.publish),
        ("/events", "POST", controls.put_event),
        ("/deliveries", "GET", controls.deliveries),
        ("/timers", "POST", controls.fire),
        ("/triggers", "GET", controls.triggers),
        ("/logs", "GET", controls.logs),
    ]
    return Mount("/_localcloud", routes=[Route(path, _endpoint(do, token), methods=[verb]) for path, verb, do in table])


def new_token() -> str:
    """Return a token for one start of the cloud."""
    return secrets.token_urlsafe(24)


def _endpoint(control: Control, token: str) -> Endpoint:
    async def endpoint(request: Request) -> JSONResponse:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return JSONResponse({"error": "the control token of this start is needed as a bearer token"}, 401)
        # In a thread: what was late may be an invocation, whose function calls this very cloud.
        return await asyncio.to_thread(_controlled, control, await request.body())

    return endpoint


def _controlled(control: Control, body: bytes) -> JSONResponse:
    try:
        return JSONResponse(msgspec.to_builtins(control(body)))
    except ApiError as refusal:
        return JSONResponse({"error": refusal.message, "code": refusal.code}, 400)
    except (ValueError, msgspec.MsgspecError) as problem:
        return JSONResponse({"error": str(problem)}, 400)


def _shown(message: Message) -> dict[str, str]:
    return {"MessageId": message.id, "PublishTime": message.published.isoformat(), "Body": message.body}


def _known_fields(body: bytes, kind: type[Fault | Switches]) -> dict[str, Any]:
    """Decode an object whose every member is a field of the dataclass: a typo must not arm something else."""
    given = msgspec.json.decode(body, type=dict[str, Any])
    unknown = sorted(set(given) - {each.name for each in fields(kind)})
    if unknown:
        msg = f"{', '.join(unknown)}: {kind.__name__} has no such field"
        raise ValueError(msg)
    return given

"""FC 3.0, API 2023-03-30, as the official SDK speaks it: invocations, asynchronous tasks and their configuration.

Sources: the official SDK and its models; where they leave something open it is said at the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from tests.localcloud.api import ApiError, Json
from tests.localcloud.fc.backend import LATEST, AsyncConfig, Backend, Target
from tests.localcloud.fc.invocation import Invocation, invalid, target_of
from tests.localcloud.fc.operation import Operation, Place, Route
from tests.localcloud.fc.tasks import TaskQuery, task_json
from tests.localcloud.gateway.signature import Verifier
from tests.localcloud.gateway.wire import JSON_TYPE, Answer, HttpRequest
from tests.localcloud.ram.service import Key

TASK_ID = "x-fc-async-task-id"

_FUNCTION = r"/2023-03-30/functions/(?P<function>[^/]+)"


class _Destination(msgspec.Struct, forbid_unknown_fields=True):
    destination: str | None = None


class _Destinations(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    on_success: _Destination | None = None
    on_failure: _Destination | None = None


class _AsyncConfigInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """PutAsyncInvokeConfigInput, with the ranges and defaults that its model documents."""

    async_task: bool = False
    destination_config: _Destinations = msgspec.field(default_factory=_Destinations)
    max_async_event_age_in_seconds: Annotated[int, msgspec.Meta(ge=1, le=604_800)] = 86_400
    max_async_retry_attempts: Annotated[int, msgspec.Meta(ge=0, le=8)] = 3


def target_named(function: str, qualifier: str) -> Target:
    """Return the function meant: `service$function` is one of FC 2.0, as this version names it."""
    service, dollar, name = function.partition("$")
    return target_of(name, qualifier, service) if dollar else target_of(function, qualifier, None)


def _target(request: HttpRequest, names: Mapping[str, str]) -> Target:
    return target_named(names["function"], dict(request.query).get("qualifier", ""))


def _invoke(request: HttpRequest, names: Mapping[str, str], _place: Place) -> Operation:
    target = _target(request, names)
    return Operation(target, Invocation.of(target, request.headers, request.body, TASK_ID).carry_out)


def _get_task(request: HttpRequest, names: Mapping[str, str], place: Place) -> Operation:
    target = _target(request, names)

    def carry_out(backend: Backend) -> Answer:
        return _json(task_json(backend.task(target, names["task"]), place, payload=True))

    return Operation(target, carry_out, f"/async-tasks/{names['task']}")


def _list_tasks(request: HttpRequest, names: Mapping[str, str], place: Place) -> Operation:
    target, query = _target(request, names), TaskQuery.of(dict(request.query))
    return Operation(target, lambda backend: _json(query.page(backend.tasks(target), place)), "/async-tasks/*")


def _stop_task(request: HttpRequest, names: Mapping[str, str], _place: Place) -> Operation:
    target = _target(request, names)

    def carry_out(backend: Backend) -> Answer:
        backend.stop_task(target, names["task"])
        return Answer(204, b"")

    return Operation(target, carry_out, f"/async-tasks/{names['task']}")


def _get_config(request: HttpRequest, names: Mapping[str, str], place: Place) -> Operation:
    target = _target(request, names)
    return Operation(target, lambda backend: _json(_config_json(backend.async_config(target), target, place)))


def _put_config(request: HttpRequest, names: Mapping[str, str], place: Place) -> Operation:
    target, config = _target(request, names), _config(request.body)
    return Operation(
        target, lambda backend: _json(_config_json(backend.set_async_config(target, config), target, place))
    )


def _config(body: bytes) -> AsyncConfig:
    try:
        given = msgspec.json.decode(body, type=_AsyncConfigInput)
    except msgspec.MsgspecError as problem:
        raise invalid(str(problem)) from None
    to = given.destination_config
    return AsyncConfig(
        max_retry_attempts=given.max_async_retry_attempts,
        max_event_age=given.max_async_event_age_in_seconds,
        task=given.async_task,
        on_success=to.on_success.destination if to.on_success else None,
        on_failure=to.on_failure.destination if to.on_failure else None,
    )


def _config_json(config: AsyncConfig, target: Target, place: Place) -> Json:
    destinations = {"onSuccess": config.on_success, "onFailure": config.on_failure}
    times = {"createdTime": config.created, "lastModifiedTime": config.modified}
    return {
        "functionArn": place.arn(target),
        "asyncTask": config.task,
        "maxAsyncRetryAttempts": config.max_retry_attempts,
        "maxAsyncEventAgeInSeconds": config.max_event_age,
        "destinationConfig": {name: {"destination": arn} for name, arn in destinations.items() if arn},
        **{name: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moment in times.items() if moment},
    }


def _route(action: str, method: str, rest: str, read: Any) -> Route:  # noqa: ANN401 - the type is Route's own
    return Route(action, method, re.compile(_FUNCTION + rest), read)


class Api3:
    """The API version 2023-03-30."""

    version = "2023-03-30"
    routes = (
        _route("InvokeFunction", "POST", r"/invocations", _invoke),
        _route("ListAsyncTasks", "GET", r"/async-tasks", _list_tasks),
        _route("GetAsyncTask", "GET", r"/async-tasks/(?P<task>[^/]+)", _get_task),
        _route("StopAsyncTask", "PUT", r"/async-tasks/(?P<task>[^/]+)/stop", _stop_task),
        _route("GetAsyncInvokeConfig", "GET", r"/async-invoke-config", _get_config),
        _route("PutAsyncInvokeConfig", "PUT", r"/async-invoke-config", _put_config),
    )

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def verify(self, request: HttpRequest) -> Key:
        """See Api: ACS3, as for every product; the SDK signs all headers, those of FC too."""
        return self._verifier.verify(request)

    def described(self, request: HttpRequest, names: Mapping[str, str]) -> dict[str, str]:
        """See Api."""
        service, dollar, name = names.get("function", "").partition("$")
        invocation = "x-fc-invocation-type" in request.headers
        known = {
            "ServiceName": service if dollar else "",
            "FunctionName": name if dollar else names.get("function", ""),
            "Qualifier": dict(request.query).get("qualifier", LATEST),
            "InvocationType": request.headers["x-fc-invocation-type"] if invocation else "",
            "TaskId": names.get("task", "") or request.headers.get(TASK_ID, ""),
        }
        return {name: value for name, value in known.items() if value}

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        """See Api."""
        body = {"RequestId": request_id, "Code": refusal.code, "Message": refusal.message, **refusal.extra}
        named = {"x-fc-request-id": request_id, **headers}
        return Answer(refusal.status, json.dumps(body).encode(), refusal.code, named)


def _json(body: Json) -> Answer:
    return Answer(200, json.dumps(body, ensure_ascii=False).encode(), content_type=JSON_TYPE)

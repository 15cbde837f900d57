"""FC 2.0, API 2016-08-15, as the official fc2 package speaks it: InvokeFunction of a function within a service."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import LATEST
from tests.localcloud.fc.invocation import Invocation, target_of
from tests.localcloud.fc.operation import Operation, Place, Route
from tests.localcloud.fc.signature import Fc2Verifier
from tests.localcloud.gateway.wire import Answer, HttpRequest
from tests.localcloud.ram.service import Key

TASK_ID = "x-fc-stateful-async-invocation-id"


def _invoke(request: HttpRequest, names: Mapping[str, str], _place: Place) -> Operation:
    service, _, qualifier = names["service"].partition(".")
    target = target_of(names["function"], qualifier, service)
    return Operation(target, Invocation.of(target, request.headers, request.body, TASK_ID).carry_out)


class Api2:
    """The API version 2016-08-15."""

    version = "2016-08-15"
    routes = (
        Route(
            "InvokeFunction",
            "POST",
            re.compile(r"/2016-08-15/services/(?P<service>[^/]+)/functions/(?P<function>[^/]+)/invocations"),
            _invoke,
        ),
    )

    def __init__(self, verifier: Fc2Verifier) -> None:
        self._verifier = verifier

    def verify(self, request: HttpRequest) -> Key:
        """See Api."""
        return self._verifier.verify(request)

    def described(self, request: HttpRequest, names: Mapping[str, str]) -> dict[str, str]:
        """See Api."""
        service, _, qualifier = names.get("service", "").partition(".")
        known = {
            "ServiceName": service,
            "FunctionName": names.get("function", ""),
            "Qualifier": qualifier or LATEST,
            "InvocationType": request.headers.get("x-fc-invocation-type", "Sync"),
            "TaskId": request.headers.get(TASK_ID, ""),
        }
        return {name: value for name, value in known.items() if value}

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        """See Api. The names are those that the fc2 package reads; the page begins them in lower case."""
        body = json.dumps({"ErrorCode": refusal.code, "ErrorMessage": refusal.message}).encode()
        return Answer(refusal.status, body, refusal.code, {"x-fc-request-id": request_id, **headers})

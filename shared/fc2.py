"""Invocations by the official fc2 package, of functions within a service of FC 2.0. Its only importer.

Of fc2 the paths, headers and signatures are used. Its transport is not: that tries a refused connection for 30 s,
follows redirects with the security token in hand, and raises a decoding error on a refusal that is not JSON. Nor is its
log: it has the token and the signature in it.
"""

from __future__ import annotations

import logging

import fc2
import requests

from shared import connections, openapi
from shared.model import Credentials, Endpoint, RotationTarget, TaskId
from shared.openapi import Failure
from shared.ports import Clock

_ACCEPTED = 202
_TIMEOUTS = (openapi.CONNECT_TIMEOUT.total_seconds(), openapi.READ_TIMEOUT.total_seconds())


class _NotAccepted(Exception):
    """An answer other than 202, on its way out of fc2."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure


class _Client(fc2.Client):  # type: ignore[misc]  # fc2 is untyped
    """fc2's client over a session that refuses redirects, sends nothing late and tries once."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials) -> None:
        token = credentials.security_token
        super().__init__(
            endpoint=f"{endpoint.protocol.lower()}://{endpoint.host}",
            accessKeyID=credentials.access_key_id,
            accessKeySecret=credentials.access_key_secret.reveal(),
            securityToken=token.reveal() if token else "",
        )
        self._session = connections.StraightSession()

    def _do_request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        params: None = None,
        body: bytes | None = None,
    ) -> requests.Response:
        # Prepared without the session: that would put credentials of a .netrc in place of the signature.
        request = requests.Request(method, f"{self.endpoint}{path}", headers=headers, params=params, data=body)
        answer = self._session.send(request.prepare(), timeout=_TIMEOUTS, allow_redirects=False)
        if answer.status_code != _ACCEPTED:
            raise _NotAccepted(_failure(answer))
        return answer


class Fc2Sender:
    """Sends to one function of FC 2.0 (dispatch.Sender)."""

    def __init__(self, target: RotationTarget, endpoint: Endpoint, credentials: Credentials, clock: Clock) -> None:
        connections.make_safe(clock)
        _silence()
        self._target = target
        self._client = _Client(endpoint, credentials)

    def send(self, event: bytes, task_id: TaskId) -> Failure | None:
        """See Sender."""
        return openapi.attempt(lambda: self._invoke(event, task_id))

    def _invoke(self, event: bytes, task_id: TaskId) -> Failure | None:
        target = self._target
        headers = {"x-fc-invocation-type": "Async", "x-fc-stateful-async-invocation-id": task_id}
        try:
            self._client.invoke_function(
                target.service, target.name, payload=event, headers=headers, qualifier=target.qualifier
            )
        except _NotAccepted as answer:
            return answer.failure
        return None


def _silence() -> None:
    """Give fc2's modules a logger of their own that says nothing, in place of the root logger.

    They hand the string to sign and every request's headers, security token and signature in them, to logging.debug
    and logging.error. The name `logging` within those two modules is all that is exchanged: nobody else's log changes,
    at no time. A filter on the root logger would be everybody's, and gone when somebody configures logging anew.
    """
    silent = logging.Logger("fc2")  # noqa: LOG001 - outside logging's hierarchy no configuration can give it a voice
    silent.disabled = True
    for module in (fc2.client, fc2.auth):
        module.logging = silent


def _failure(answer: requests.Response) -> Failure:
    """Return what is safe to know of an answer. One whose body is no JSON object is not Function Compute's."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    refusal = answer.status_code >= 400  # noqa: PLR2004 - HTTP's own number
    if refusal and not isinstance(body, dict):
        return openapi.UNANSWERED
    code = body.get("ErrorCode") if isinstance(body, dict) else None
    return openapi.answered(answer.status_code, code, answer.headers.get("x-fc-request-id"))

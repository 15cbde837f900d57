"""The official SDKs' clients, whose every call passes one gate: guarded, unhurried, counted, its answer looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from alibabacloud_cloudsso20210515.client import Client as CloudSsoClient
from alibabacloud_fc20230330.client import Client as FcClient
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.utils_models import Config

from shared.openapi import Failure, attempt
from tests.conformance.account import Account
from tests.conformance.guard import Asked, Guard
from tests.conformance.sdk_models import strange_fields
from tests.conformance.verdicts import ForeignError, RefusedError

_TRIES = 6
_FIRST_PAUSE = 1.0  # seconds, doubled, where a service throttles without saying when to come back


@dataclass(frozen=True)
class Pace:
    """How time passes: really, or on a loopback cloud's clock."""

    wait: Callable[[float], None]
    between_calls: float = 0.0  # seconds


class Gate:
    """The one way out."""

    def __init__(self, account: Account, pace: Pace) -> None:
        self.sent: Counter[str] = Counter()
        self.strange: set[str] = set()  # fields of answers that the SDK's models do not know, or know as another type
        self._guard = Guard(account)
        self._pace = pace

    def send(self, params: Any, request: Any, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Send a call, if it may be sent; raise what is safe to show of its refusal."""
        asked = Asked.of(params, request)
        self._guard.check(asked)
        answer = self._patiently(asked, do)
        if isinstance(answer, Failure):
            raise RefusedError(answer)
        self._guard.learn(answer)
        self.strange |= strange_fields(params.version, asked.action, answer)
        return answer

    def ask(self, asked: Asked, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Make a call once: return its answer, or what is safe to know of its failure."""
        return attempt(do)

    def _patiently(self, asked: Asked, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Make a call, and again for as long as it is refused for its rate: then it was not carried out."""
        pauses = [_FIRST_PAUSE * 2**number for number in range(_TRIES - 1)]
        answer = self._once(asked, do)
        while pauses and isinstance(answer, Failure) and answer.throttled:
            advice = answer.retry_after.total_seconds() if answer.retry_after else 0
            self._pace.wait(max(pauses.pop(0), advice))
            answer = self._once(asked, do)
        return answer

    def _once(self, asked: Asked, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - the SDK is untyped
        self._pace.wait(self._pace.between_calls)
        self.sent[asked.action] += 1
        return self.ask(asked, do)


class _Gated:
    """An SDK's client whose operations all leave through the gate."""

    gate: Gate

    def call_api(self, params: Any, request: Any, runtime: Any) -> Any:  # noqa: ANN401 - the SDK is untyped
        """Do what every operation of the SDK's client ends in."""
        send: Callable[..., Any] = super().call_api  # type: ignore[misc]  # the SDK's
        return self.gate.send(params, request, partial(send, params, request, runtime))

    async def call_api_async(self, *_: object) -> NoReturn:
        """Refuse the other way out."""
        message = "asynchronous operations do not pass the gate"
        raise ForeignError(message)


class CloudSso(_Gated, CloudSsoClient):  # type: ignore[misc]  # the SDK is untyped
    """CloudSSO's client."""


class Kms(_Gated, KmsClient):  # type: ignore[misc]  # the SDK is untyped
    """KMS's client."""


class Fc(_Gated, FcClient):  # type: ignore[misc]  # the SDK is untyped
    """Function Compute's client."""


@dataclass(frozen=True)
class Clients:
    """The three clients of an account, behind one gate."""

    sso: CloudSso
    kms: Kms
    fc: Fc

    @staticmethod
    def of(account: Account, gate: Gate) -> Clients:
        """Make them."""
        sso = CloudSso(_config(account, account.directory_region))
        kms, fc = Kms(_config(account, account.kms_region)), Fc(_config(account, account.fc_region))
        for client in (sso, kms, fc):
            client.gate = gate
        return Clients(sso, kms, fc)


def _config(account: Account, region: str) -> Config:
    return Config(
        access_key_id=account.key.key_id,
        access_key_secret=account.key.secret,
        security_token=account.key.token,
        region_id=region,
        endpoint=account.endpoint,
        protocol="HTTP" if account.endpoint else "HTTPS",
        user_agent="cloudsso-rotator-conformance",
    )

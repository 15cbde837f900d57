"""Requests that the official SDKs have signed, as bytes, and ways to change them on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

import pytest
from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_cloudsso20210515.client import Client as CloudSsoClient
from alibabacloud_fc20230330 import models as fc
from alibabacloud_fc20230330.client import Client as FcClient
from alibabacloud_kms20160120 import models as kms
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.models import Config
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from tests.localcloud.gateway.exchange import request_of
from tests.localcloud.gateway.signature import Verifier
from tests.localcloud.gateway.wire import HttpRequest
from tests.localcloud.ram.service import Credentials, Key, Ram

CREDENTIALS = Credentials("STS.example", "SK-example", "token-example")
NOBODY = "127.0.0.1:9"  # a port on which nobody listens: the SDK signs, cannot send, and its exception has the request


@dataclass(frozen=True)
class Signed:
    """One request on its way."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def scope(self) -> dict[str, Any]:
        """Return it as an HTTP server hands it over: blanks and tabs are taken off the headers' values."""
        return {
            "type": "http",
            "method": self.method,
            "raw_path": self.path.encode("latin-1"),
            "query_string": self.query.encode("latin-1"),
            "headers": [(name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in self.headers],
        }

    def read(self) -> HttpRequest:
        """Return it as the cloud reads it."""
        return request_of(self.scope(), self.body)

    def meaning(self) -> tuple[object, ...]:
        """Return all that a service will ever know of it."""
        request = self.read()
        own = {name: value for name, value in request.headers.items() if name.startswith("x-fc-")}
        rest = (self.method, request.path, own, request.body) if request.version == "2023-03-30" else ()
        return (request.version, request.action, request.params, rest)


class OneKey:
    """A key ring with the key that signed them."""

    key = Key(CREDENTIALS, Ram.role("signer", "1"))

    def find(self, access_key_id: str) -> Key | None:
        return self.key if access_key_id == CREDENTIALS.access_key_id else None

    def find_token(self, security_token: str) -> Key | None:
        return self.key if security_token == CREDENTIALS.security_token else None


def verify(signed: Signed, at: float) -> Key:
    """Verify a request as a cloud would that has seen none before."""
    return Verifier(OneKey(), lambda: at).verify(signed.read())


def now() -> float:
    return datetime.now(timezone.utc).timestamp()


class Samples:
    """A request of each kind, signed by the SDKs: query, form, JSON and bytes; both signatures."""

    def __init__(self) -> None:
        self._signed = [_signed(send) for send in _sends()]

    def __len__(self) -> int:
        return len(self._signed)

    def __getitem__(self, kind: int) -> Signed:
        return self._signed[kind]


def _sends() -> Iterator[Callable[[], object]]:
    acs3 = _config()
    users = sso.ListUsersRequest(
        directory_id="d-1", filter="UserName eq a b~*é", tags=[sso.ListUsersRequestTags("k", "v")]
    )
    yield lambda: CloudSsoClient(acs3).list_users(users)
    value = kms.PutSecretValueRequest(
        secret_name="team/alice", version_id="r1", secret_data="a b&c=~*é", version_stages='["ACSCurrent"]'
    )
    yield lambda: KmsClient(acs3).put_secret_value(value)
    call = fc.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id="t-1")
    body = fc.InvokeFunctionRequest(body=b"\x00{}", qualifier="LATEST")
    yield lambda: FcClient(acs3).invoke_function_with_options("svc$fn", body, call, RuntimeOptions())
    tasks = fc.ListAsyncTasksRequest(prefix="a b", limit=3)
    yield lambda: FcClient(acs3).list_async_tasks("fn", tasks)
    config = fc.PutAsyncInvokeConfigRequest(body=fc.PutAsyncInvokeConfigInput(async_task=True))
    yield lambda: FcClient(acs3).put_async_invoke_config("fn", config)
    legacy = _config(signature_algorithm="v2")
    yield lambda: KmsClient(legacy).put_secret_value(value)
    yield lambda: KmsClient(legacy).list_secrets(kms.ListSecretsRequest(page_size=3))


def _config(**more: str) -> Config:
    return Config(
        access_key_id=CREDENTIALS.access_key_id,
        access_key_secret=CREDENTIALS.access_key_secret,
        security_token=CREDENTIALS.security_token,
        endpoint=NOBODY,
        protocol="HTTP",
        region_id="cn-hangzhou",
        **more,
    )


def _signed(send: Callable[[], object]) -> Signed:
    with pytest.raises(UnretryableException) as unsent:
        send()
    request = unsent.value.last_request
    body = request.body or b""
    return Signed(
        request.method,
        request.pathname,
        urlencode(request.query),
        tuple((name, value) for name, value in request.headers.items() if value is not None),
        body.encode() if isinstance(body, str) else body,
    )

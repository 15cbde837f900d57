"""What holds of every request that an official SDK has signed, whatever becomes of it on its way; and of any at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from tests.localcloud.api import ApiError
from tests.localcloud.fc.api2 import Api2
from tests.localcloud.fc.api3 import Api3
from tests.localcloud.fc.entrance import Entrance
from tests.localcloud.fc.signature import Fc2Verifier
from tests.localcloud.gateway.signature import Verifier
from tests.localcloud.server import LocalCloud
from tests.loopback.signed import NOBODY, OneKey, Samples, Signed, now, verify
from tests.loopback.tampering import ANY, HARMLESS

if TYPE_CHECKING:
    from starlette.types import ASGIApp

KINDS = 7  # of samples
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
some = settings(many, max_examples=150)
kinds = st.integers(0, KINDS - 1)


@pytest.fixture(scope="module")
def signed() -> Samples:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            environment.delenv(name, raising=False)
        made = Samples()
    assert len(made) == KINDS
    return made


@many
@given(kinds, st.lists(st.sampled_from(ANY), min_size=1, max_size=3), st.data())
def test_a_request_that_is_accepted_means_what_was_signed(
    signed: Samples, kind: int, tamperings: list[Any], data: st.DataObject
) -> None:
    original = tampered = signed[kind]
    for tamper in tamperings:
        tampered = tamper(tampered, data.draw)
    note(f"{original}\n{tampered}")
    if is_accepted(tampered):
        assert tampered.meaning() == original.meaning()


def is_accepted(request: Signed) -> bool:
    """Tell whether a request is accepted; one that is not must be refused in an orderly way."""
    try:
        verify(request, now())
    except ApiError as refusal:
        if refusal.status in {400, 404}:
            return False
        raise
    return True


@some
@given(kinds, st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=3), st.data())
def test_what_leaves_the_canonical_form_as_it_is_is_accepted(
    signed: Samples, kind: int, tamperings: list[Any], data: st.DataObject
) -> None:
    original = tampered = signed[kind]
    for tamper in tamperings:
        tampered = tamper(tampered, data.draw)
    assert verify(tampered, now()).role.name == "signer"
    assert tampered.meaning() == original.meaning()


@some
@given(kinds, st.lists(st.sampled_from(HARMLESS), max_size=3), st.data())
def test_a_request_is_accepted_once_however_it_is_written(
    signed: Samples, kind: int, tamperings: list[Any], data: st.DataObject
) -> None:
    verifier, again = Verifier(OneKey(), now), signed[kind]
    verifier.verify(again.read())
    for tamper in tamperings:
        again = tamper(again, data.draw)
    with pytest.raises(ApiError) as caught:
        verifier.verify(again.read())
    assert caught.value.code == "SignatureNonceUsed"


# ------------------------------------------------------------------------------------------ whoever has signed nothing


class Doors:
    """The entrances of a cloud, without sockets."""

    def __init__(self) -> None:
        self.cloud = LocalCloud()
        gateway = self.cloud._gateway
        gateway.hosts = {NOBODY}
        fc2 = Api2(Fc2Verifier(self.cloud.ram, now, now))
        doors = [
            Entrance(api, self.cloud.fc, gateway, lambda: self.cloud.switches) for api in (Api3(gateway.verifier), fc2)
        ]
        self._doors: list[ASGIApp] = [gateway, *doors]

    def knock(self, door: int, request: Signed) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer."""
        answer: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": request.body}

        async def send(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        async def serve() -> None:
            await self._doors[door](request.scope(), receive, send)

        asyncio.run(serve())
        return answer[0]["status"], answer[1]["body"]


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    made = Doors()
    yield made
    assert made.cloud._gateway.defects == []


carried = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0"), max_size=60)
key = "Credential=x,SignedHeaders=host,Signature=" + "0" * 64
authorizations = carried | carried.map(lambda text: f"ACS3-HMAC-SHA256 {text}") | carried.map(lambda text: f"FC {text}")
signatures = st.fixed_dictionaries(
    {},
    optional={
        "authorization": authorizations | st.just(f"ACS3-HMAC-SHA256 {key}"),
        "x-acs-action": st.sampled_from(["ListUsers", "PutSecretValue", "é"]) | carried,
        "x-acs-version": st.sampled_from(["2021-05-15", "2016-01-20", "2023-03-30"]) | carried,
        "x-acs-date": carried,
        "date": carried,
        "x-acs-signature-nonce": carried,
        "x-acs-security-token": carried,
        "x-acs-content-sha256": carried,
        "content-type": st.just("application/x-www-form-urlencoded") | carried,
    },
)
queries = st.sampled_from(
    ["", "Signature=x&AccessKeyId=y", "Signature&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0", "a=%ff", "%"]
) | carried.map(lambda text: text.replace(" ", "+"))
paths = st.sampled_from(
    ["/", "/2023-03-30/functions/f/invocations", "/2016-08-15/services/s/functions/f/invocations", "/%ff"]
)


unsigned = st.builds(
    Signed,
    method=st.just("POST"),
    path=paths,
    query=queries,
    headers=signatures.map(lambda given: (("host", NOBODY), *given.items())),
    body=st.binary(max_size=40),
)


@many
@given(st.integers(0, 2), unsigned)
@example(0, Signed("POST", "/", "Signature=x&Timestamp=%D9%A3", (("host", NOBODY),), b""))
@example(1, Signed("POST", "/", "a=%ff", (("host", NOBODY),), b""))
def test_whatever_is_no_signature_is_refused_and_never_a_defect(doors: Doors, door: int, request: Signed) -> None:
    status, answer = doors.knock(door, request)
    assert 400 <= status < 500
    assert json.loads(answer).keys() >= {"Code", "Message", "RequestId"} or "ErrorCode" in json.loads(answer)
    assert doors.cloud._gateway.defects == []

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from alibabacloud_cloudsso20210515 import models as sso_models
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException
from darabonba.exceptions import UnretryableException

from tests.localcloud.api import ApiError
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.gateway.freshness import WINDOW_SECONDS, Freshness
from tests.localcloud.gateway.signature import Verifier, acs3_string_to_sign
from tests.localcloud.gateway.wire import FORM, HttpRequest
from tests.localcloud.ram.service import Credentials, Key, Ram
from tests.localcloud.server import ADMIN_POLICY, LocalCloud
from tests.loopback import clients

if TYPE_CHECKING:
    from alibabacloud_kms20160120.client import Client as KmsClient

NOON = datetime(2024, 1, 1, tzinfo=timezone.utc).timestamp()
STAMP = "2024-01-01T00:00:00Z"
SIGNATURE = "f5c6f753bce8745d3b3432e2d6a9ee705f29cab440c60439326413f232fdbd62"
SIGNED = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
VECTOR_HEADERS = {
    "host": "127.0.0.1:8080",
    "x-acs-version": "2016-01-20",
    "x-acs-action": "PutSecretValue",
    "x-acs-date": STAMP,
    "x-acs-signature-nonce": "0" * 32,
    "x-acs-content-sha256": "55d57a1d1eb5faacf61585346cd001c47b296a8647ee23500356f74a55b7f897",
    "content-type": FORM,
    "authorization": f"ACS3-HMAC-SHA256 Credential=AKEXAMPLE,SignedHeaders={SIGNED},Signature={SIGNATURE}",
}


class OneKey:
    """A key ring with the test vector's key."""

    key = Key(Credentials("AKEXAMPLE", "SKEXAMPLE"), Ram.role("vector", "1"))

    def find(self, access_key_id: str) -> Key | None:
        return self.key if access_key_id == "AKEXAMPLE" else None

    def find_token(self, security_token: str) -> Key | None:
        return None


def vector(body: bytes = b"SecretData=a+b%26c", query: str | None = None, **headers: str) -> HttpRequest:
    """Return the published test vector, changed where a test says so."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = query or "SecretName=team%2Falice&VersionId=r1&VersionStages=%5B%22ACSCurrent%22%2C%22X+Y%22%5D"
    return HttpRequest("POST", "/", asked, VECTOR_HEADERS | changed, body)


def refusal(request: HttpRequest, now: float = NOON) -> tuple[int, str]:
    """Return the status and code a request is refused with."""
    with pytest.raises(ApiError) as caught:
        Verifier(OneKey(), lambda: now).verify(request)
    return caught.value.status, caught.value.code


def test_the_vector_hashes_to_the_published_canonical_form() -> None:
    expected = "ACS3-HMAC-SHA256\n87c45435f8d3b4ec44e0f3e099e59f1daca7f589bebc1754d4bb9506268417c4"
    assert acs3_string_to_sign(vector(), SIGNED.split(";")) == expected


def test_the_vector_is_accepted() -> None:
    assert Verifier(OneKey(), lambda: NOON).verify(vector()).role.name == "vector"


@pytest.mark.parametrize(
    "changed",
    [
        vector(body=b"SecretData=other"),
        vector(query="SecretName=other"),
        vector(host="127.0.0.1:9"),
        vector(x_acs_action="GetSecretValue"),
        vector(x_acs_content_sha256="0" * 64),
        vector(authorization=VECTOR_HEADERS["authorization"].replace(SIGNATURE, "0" * 64)),
    ],
    ids=["body", "query", "host", "action", "announced hash", "signature"],
)
def test_whatever_is_signed_cannot_be_changed(changed: HttpRequest) -> None:
    assert refusal(changed) == (400, "SignatureDoesNotMatch")


def test_the_name_of_a_parameter_cannot_swallow_another() -> None:
    hidden = "SecretName%3Dteam%252Falice%26VersionId=r1&VersionStages=%5B%22ACSCurrent%22%2C%22X+Y%22%5D"
    assert refusal(vector(query=hidden)) == (400, "SignatureDoesNotMatch")


@pytest.mark.parametrize("blank", ["\xa0", "\x85", "\x1c"])
def test_a_blank_that_is_none_in_http_is_part_of_a_headers_value(blank: str) -> None:
    assert refusal(vector(x_acs_action=f"PutSecretValue{blank}")) == (400, "SignatureDoesNotMatch")


def test_a_body_that_does_not_match_its_own_hash_is_refused_even_if_the_rest_is_signed() -> None:
    request = vector(x_acs_content_sha256="0" * 64)
    names = SIGNED.split(";")
    digest = hmac.new(b"SKEXAMPLE", acs3_string_to_sign(request, names).encode(), hashlib.sha256).hexdigest()
    resigned = VECTOR_HEADERS["authorization"].replace(SIGNATURE, digest)
    assert refusal(vector(x_acs_content_sha256="0" * 64, authorization=resigned)) == (400, "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["host", "content-type", "x-acs-action", "x-acs-date", "x-acs-content-sha256"])
def test_a_header_that_must_be_signed_cannot_be_left_out(name: str) -> None:
    fewer = ";".join(each for each in SIGNED.split(";") if each != name)
    request = vector(authorization=VECTOR_HEADERS["authorization"].replace(SIGNED, fewer))
    assert refusal(request) == (400, "IncompleteSignature")


@pytest.mark.parametrize("header", ["Basic Zm9vOmJhcg==", "ACS3-HMAC-SHA256 Credential=AKEXAMPLE", ""])
def test_an_authorization_that_is_no_acs3_signature_is_incomplete(header: str) -> None:
    assert refusal(vector(authorization=header)) == (400, "IncompleteSignature")


def test_a_request_without_any_signature_is_incomplete() -> None:
    headers = {name: value for name, value in VECTOR_HEADERS.items() if name != "authorization"}
    assert refusal(HttpRequest("POST", "/", "", headers, b"")) == (400, "IncompleteSignature")


def test_an_unknown_key_is_not_found() -> None:
    request = vector(authorization=VECTOR_HEADERS["authorization"].replace("AKEXAMPLE", "AKOTHER"))
    assert refusal(request) == (404, "InvalidAccessKeyId.NotFound")


@pytest.mark.parametrize("drift", [WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1])
def test_a_timestamp_more_than_fifteen_minutes_off_has_expired(drift: int) -> None:
    assert refusal(vector(), now=NOON + drift) == (400, "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("drift", [WINDOW_SECONDS, -WINDOW_SECONDS])
def test_a_timestamp_fifteen_minutes_off_is_still_good(drift: int) -> None:
    assert Verifier(OneKey(), lambda: NOON + drift).verify(vector()).role.name == "vector"


def test_a_timestamp_that_is_none_is_malformed() -> None:
    assert refusal(vector(x_acs_date="yesterday")) == (400, "InvalidTimeStamp.Format")


def test_a_missing_timestamp_is_illegal() -> None:
    assert refusal(vector(x_acs_date="")) == (400, "IllegalTimestamp")


def test_a_nonce_is_good_once() -> None:
    verifier = Verifier(OneKey(), lambda: NOON)
    verifier.verify(vector())
    with pytest.raises(ApiError) as caught:
        verifier.verify(vector())
    assert (caught.value.status, caught.value.code) == (400, "SignatureNonceUsed")


def test_a_nonce_is_not_used_up_by_who_cannot_sign() -> None:
    verifier = Verifier(OneKey(), lambda: NOON)
    with pytest.raises(ApiError):
        verifier.verify(vector(body=b"forged"))
    assert verifier.verify(vector()).role.name == "vector"


def test_a_nonce_is_remembered_exactly_as_long_as_its_timestamp_is_good() -> None:
    times = [NOON]
    fresh = Freshness(lambda: times[0])
    fresh.use("AK", "n1", STAMP)
    times[0] = NOON + WINDOW_SECONDS
    with pytest.raises(ApiError):
        fresh.use("AK", "n1", STAMP)
    times[0] = NOON + WINDOW_SECONDS + 1
    fresh.use("AK", "n2", "2024-01-01T00:15:00Z")
    assert len(fresh) == 1


def test_a_refused_signature_never_quotes_what_was_signed() -> None:
    with pytest.raises(ApiError) as caught:
        Verifier(OneKey(), lambda: NOON).verify(vector(body=b"SecretData=Marker1"))
    assert "Marker1" not in str(caught.value)


def legacy_query(secret: str, method: str, query: Mapping[str, str], form: Mapping[str, str]) -> str:
    """Sign in the legacy form, written from its description and not from the verifier."""
    pairs = sorted({**query, **form}.items())
    canonical = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
    to_sign = f"{method}&%2F&{quote(canonical, safe='~')}"
    digest = base64.b64encode(hmac.new(f"{secret}&".encode(), to_sign.encode(), hashlib.sha1).digest()).decode()
    return urlencode({**query, "Signature": digest})


def legacy_params(credentials: Credentials, **more: str) -> dict[str, str]:
    """Return the protocol parameters of a legacy request."""
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecurityToken": credentials.security_token or "",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Format": "JSON",
        **more,
    }


def legacy(cloud: LocalCloud, method: str = "POST", form: dict[str, str] | None = None, **more: str) -> clients.Reply:
    """Send a legacy request, signed right, of whatever parameters."""
    params = legacy_params(cloud.admin, **more)
    query = legacy_query(cloud.admin.access_key_secret, method, params, form or {})
    headers = {"content-type": FORM} if form else {}
    return clients.send(cloud, f"/?{query}", method=method, headers=headers, body=urlencode(form or {}).encode())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_legacy_signature_in_the_query_is_accepted(cloud: LocalCloud, method: str) -> None:
    reply = legacy(cloud, method, Action="ListSecrets", Version="2016-01-20", Filters="")
    assert (reply.status, reply.body["TotalCount"]) == (200, 0)


def test_a_legacy_signature_covers_the_form_body(cloud: LocalCloud) -> None:
    form = {"SecretData": "a b&c=~*é"}
    reply = legacy(cloud, form=form, Action="CreateSecret", Version="2016-01-20", SecretName="s", VersionId="v1")
    assert reply.status == 200
    assert clients.current(clients.kms(cloud)) == "a b&c=~*é"


def test_the_largest_secret_fits_into_a_legacy_url(cloud: LocalCloud) -> None:
    data = "%" * 30720
    named = {"SecretName": "s", "VersionId": "v1", "SecretData": data}
    assert legacy(cloud, "POST", None, Action="CreateSecret", Version="2016-01-20", **named).status == 200
    assert clients.current(clients.kms(cloud)) == data


def test_a_legacy_request_changed_on_the_way_is_refused_without_quoting_it(cloud: LocalCloud) -> None:
    params = legacy_params(cloud.admin, Action="CreateSecret", Version="2016-01-20", SecretData="Marker1")
    query = legacy_query(cloud.admin.access_key_secret, "POST", params, {})
    reply = clients.send(cloud, f"/?{query}&SecretName=other")
    assert (reply.status, reply.code) == (400, "SignatureDoesNotMatch")
    assert "Marker1" not in reply.body["Message"]


def test_a_legacy_request_is_about_its_parameters_whatever_its_headers_say(cloud: LocalCloud) -> None:
    clients.create_secret(clients.kms(cloud))
    params = legacy_params(cloud.admin, Action="DescribeSecret", Version="2016-01-20", SecretName="s")
    query = legacy_query(cloud.admin.access_key_secret, "POST", params, {})
    forged = {"x-acs-action": "DeleteSecret", "x-acs-version": "2021-05-15"}
    reply = clients.send(cloud, f"/?{query}", headers=forged)
    assert (reply.status, reply.body["SecretName"]) == (200, "s")
    assert cloud.kms.secret_names() == ["s"]


def test_a_legacy_nonce_is_good_once(cloud: LocalCloud) -> None:
    replies = [legacy(cloud, Action="ListSecrets", Version="2016-01-20", SignatureNonce="twice") for _ in range(2)]
    assert replies[0].status == 200
    assert (replies[1].status, replies[1].code) == (400, "SignatureNonceUsed")


def test_a_legacy_method_other_than_hmac_sha1_is_refused(cloud: LocalCloud) -> None:
    reply = legacy(cloud, Action="ListSecrets", Version="2016-01-20", SignatureMethod="HMAC-MD5")
    assert (reply.status, reply.code) == (400, "InvalidSignatureMethod")


@pytest.mark.parametrize("algorithm", ["ACS3-HMAC-SHA256", "v2"])
def test_both_signers_of_the_official_sdk_are_accepted(cloud: LocalCloud, algorithm: str) -> None:
    client = clients.kms(cloud, signature_algorithm=algorithm)
    clients.create_secret(client, data="a b&c=~*é")
    assert clients.current(client) == "a b&c=~*é"


def refused(client: KmsClient) -> tuple[int, str]:
    """Return the status and code with which the SDK is refused a listing."""
    with pytest.raises(ClientException) as caught:
        client.list_secrets(kms_models.ListSecretsRequest())
    return caught.value.status_code, caught.value.code


def test_the_sdk_with_a_wrong_secret_does_not_match(cloud: LocalCloud) -> None:
    assert refused(clients.kms(cloud, access_key_secret="wrong")) == (400, "SignatureDoesNotMatch")


def test_the_sdk_with_an_unknown_key_is_not_found(cloud: LocalCloud) -> None:
    assert refused(clients.kms(cloud, access_key_id="LTAIunknown")) == (404, "InvalidAccessKeyId.NotFound")


def test_a_temporary_key_without_its_token_is_refused(cloud: LocalCloud) -> None:
    assert refused(clients.kms(cloud, security_token=None)) == (400, "MissingSecurityToken")


def test_a_temporary_key_with_another_keys_token_is_refused(cloud: LocalCloud) -> None:
    other = cloud.role("other", ADMIN_POLICY)
    code = "InvalidSecurityToken.MismatchWithAccessKey"
    assert refused(clients.kms(cloud, security_token=other.security_token)) == (400, code)


def test_a_token_nobody_issued_is_malformed(cloud: LocalCloud) -> None:
    assert refused(clients.kms(cloud, security_token="made-up")) == (400, "InvalidSecurityToken.Malformed")


def test_kms_calls_the_key_of_an_expired_token_not_found(cloud: LocalCloud) -> None:
    cloud.ram.expire(cloud.admin.access_key_id)
    assert refused(clients.kms(cloud)) == (404, "InvalidAccessKeyId.NotFound")


def test_cloudsso_calls_an_expired_token_expired(cloud: LocalCloud) -> None:
    short = cloud.role("short", ADMIN_POLICY, expires_in=0)
    with pytest.raises(ClientException) as caught:
        clients.cloudsso(cloud, short).get_service_status()
    assert (caught.value.status_code, caught.value.code) == (400, "InvalidSecurityToken.Expired")


def test_a_long_lived_key_needs_no_token(cloud: LocalCloud) -> None:
    user = cloud.role("user", ADMIN_POLICY, expires_in=None)
    assert user.security_token is None
    assert clients.cloudsso(cloud, user).list_directories().body.total_counts == 1


def test_the_sdks_own_request_sent_again_is_refused_as_a_replay(cloud: LocalCloud) -> None:
    cloud.faults.arm(Fault("ListUsers", "drop-before"))
    request = sso_models.ListUsersRequest(directory_id=cloud.cloudsso.directory_id, filter="UserName eq a b")
    with pytest.raises(UnretryableException) as caught:
        clients.cloudsso(cloud).list_users(request)
    sent = caught.value.last_request
    reply = clients.send(cloud, f"/?{urlencode(sent.query)}", headers=sent.headers)
    assert (reply.status, reply.code) == (400, "SignatureNonceUsed")


def test_a_host_with_a_scheme_is_not_the_endpoint(cloud: LocalCloud) -> None:
    reply = clients.send(cloud, "/", headers={"Host": f"http://{cloud.endpoint}"})
    assert (reply.status, reply.code) == (404, "InvalidHost.NotFound")


def test_the_sdk_that_names_the_host_otherwise_is_refused(cloud: LocalCloud) -> None:
    endpoint = re.sub(r"^127\.0\.0\.1", "localhost", cloud.endpoint)
    assert refused(clients.kms(cloud, endpoint=endpoint)) == (404, "InvalidHost.NotFound")


def test_shifting_the_clouds_clock_does_not_make_clients_stale(cloud: LocalCloud) -> None:
    cloud.clock.shift(90 * 86400)
    assert clients.cloudsso(cloud).list_directories().body.total_counts == 1

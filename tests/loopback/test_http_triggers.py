"""HTTP triggers: who may pass, what becomes of a request, and what of an answer."""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest
from hypothesis import given
from hypothesis import strategies as st

from tests.localcloud.api import ApiError
from tests.localcloud.fc.props import HttpConfig, Method
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.ram.service import Credentials as Key
from tests.localcloud.server import ACCOUNT_ID, ADMIN_POLICY, FC_REGION, LocalCloud
from tests.loopback.workshop import BOUND, Workshop
from tests.viewer.signing import Credentials, NotSignableError, signed_headers

ECHO = """
    import json

    def handler(event, context):
        return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": event.decode()}
"""
SAYS = """
    import json

    def handler(event, context):
        said = json.loads(json.loads(event)["body"])
        return said if isinstance(said, dict) else str(said)
"""
ALL: list[Method] = ["GET", "POST", "HEAD"]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the code."""
        return self.status, self.json()["Code"]


class Site:
    """A function behind a trigger, and somebody who asks."""

    def __init__(self, workshop: Workshop, source: str = ECHO, **config: Any) -> None:  # noqa: ANN401 - HttpConfig's own
        self.cloud = workshop.cloud
        self.target = workshop.deploy(source, "status")
        given: dict[str, Any] = {"auth_type": "function", "methods": ALL, **config}
        self.cloud.http.deploy(self.target, "page", HttpConfig(**given))
        self.url = self.cloud.fc.url("status", "page")
        self.key = self.cloud.admin

    def ask(  # noqa: PLR0913 - whatever a request can differ by
        self,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        key: Key | None = None,
        at: datetime | str | None = None,
        sign: bool = True,
    ) -> Reply:
        """Send a request, signed as the samples of the documentation do it."""
        own = official(method, self.url + path, key or self.key, at) if sign else {}
        return sent(method, self.url + path, {**own, **(headers or {})}, body)


def official(method: str, url: str, key: Key, at: datetime | str | None = None) -> dict[str, str]:
    """Sign with the official function, as the samples call it."""
    moment = at or datetime.now(timezone.utc)
    stamp = moment if isinstance(moment, str) else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"x-acs-date": stamp, "x-acs-security-token": key.security_token or ""}
    parts = urlsplit(url)
    request = DaraRequest()
    request.method = method
    request.pathname = parts.path.replace("$", "%24")
    request.headers = headers
    request.query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    said = Utils.get_authorization(request, "ACS3-HMAC-SHA256", "", key.access_key_id, key.access_key_secret)
    return {**headers, "authorization": said}


def sent(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Reply:
    """Send a request as it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, url.removeprefix(f"http://{parts.netloc}") or "/", body or None, headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, named, response.read())
    finally:
        connection.close()


def viewer(key: Key) -> Credentials:
    return Credentials(key.access_key_id, key.access_key_secret, key.security_token or "")


def test_a_request_arrives_as_the_documented_event(workshop: Workshop) -> None:
    site = Site(workshop)
    event = site.ask("/a%20b?x=1&y=%C3%A9&x=2", headers={"user-agent": "me", "x-two-words": "v"}).json()
    context = event["requestContext"]
    assert (event["version"], event["rawPath"], event["body"], event["isBase64Encoded"]) == ("v1", "/a%20b", "", False)
    assert event["queryParameters"] == {"x": "1,2", "y": "é"}
    assert (event["headers"]["X-Two-Words"], event["headers"]["User-Agent"]) == ("v", "me")
    assert context["http"] == {
        "method": "GET",
        "path": "/a b",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "me",
    }
    assert context["accountId"] == ACCOUNT_ID
    assert re.fullmatch(rf"status-[a-z]{{10}}\.{FC_REGION}\.fcapp\.run", context["domainName"])
    assert context["domainName"].startswith(context["domainPrefix"] + ".")
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}", context["requestId"])
    seconds = datetime.strptime(context["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    assert int(context["timeEpoch"]) // 1000 == seconds
    assert list(event) == [
        "version", "rawPath", "body", "isBase64Encoded", "headers", "queryParameters", "requestContext",
    ]  # fmt: skip


def test_the_answer_names_the_request_and_a_browser_would_save_it(workshop: Workshop) -> None:
    site = Site(workshop)
    reply = site.ask()
    assert reply.headers["x-fc-request-id"] == reply.json()["requestContext"]["requestId"]
    assert reply.headers["content-disposition"] == "attachment"
    (record,) = site.cloud.fc.logs("status")
    assert record.request_id == reply.headers["x-fc-request-id"]
    assert "access-control-allow-origin" not in reply.headers


def test_a_header_that_comes_twice_is_one_with_commas(workshop: Workshop) -> None:
    site = Site(workshop)
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=60)
    connection.putrequest("GET", "/")
    for name, value in (*official("GET", site.url + "/", site.key).items(), ("x-a", "1"), ("x-a", "2")):
        connection.putheader(name, value)
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    connection.close()
    assert event["headers"]["X-A"] == "1,2"


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("text/plain; charset=utf-8", "é".encode(), False),
        ("application/json", b"{}", False),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("image/png", b"text all the same", True),
        ("text/plain", b"\xff\x00", True),
    ],
)
def test_a_binary_body_is_encoded(workshop: Workshop, content_type: str, body: bytes, *, encoded: bool) -> None:
    event = Site(workshop).ask(method="POST", body=body, headers={"content-type": content_type}).json()
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_the_platforms_own_headers_are_not_in_the_event(workshop: Workshop) -> None:
    headers = Site(workshop).ask(headers={"x-fc-log-type": "None"}).json()["headers"]
    assert not [name for name in headers if name.lower().startswith("x-fc-")]


# what a function says


@pytest.mark.parametrize(
    ("said", "status", "content_type", "body"),
    [
        ({"statusCode": 418, "headers": {"content-TYPE": "text/html"}, "body": "é"}, 418, "text/html", "é".encode()),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "/wA="}, 200, "application/json", b"\xff\x00"),
        ({"statusCode": 204}, 204, "application/json", b""),
        ({"status": 1}, 200, "application/json", b'{"status": 1}'),
        ("words", 200, "application/json", b"words"),
    ],
)
def test_what_a_function_says_becomes_the_answer(
    workshop: Workshop, said: object, status: int, content_type: str, body: bytes
) -> None:
    reply = Site(workshop, SAYS).ask(method="POST", body=json.dumps(said).encode())
    assert (reply.status, reply.headers["content-type"], reply.body) == (status, content_type, body)


@pytest.mark.parametrize(
    "said",
    [
        {"statusCode": "200"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": {"a": 1}},
        {"statusCode": 200, "headers": {"a": "1\r\nb: 2"}},
        {"statusCode": 200, "headers": {"a b": "1"}},
        {"statusCode": 200, "headers": {"a": "x" * 8192}},
        {"statusCode": 200, "isBase64Encoded": True, "body": "?"},
    ],
)
def test_an_answer_that_is_none_is_a_bad_response(workshop: Workshop, said: object) -> None:
    reply = Site(workshop, SAYS).ask(method="POST", body=json.dumps(said).encode())
    assert reply.refusal == (502, "BadResponse")
    assert reply.headers["x-fc-error-type"] == "UnhandledInvocationError"


def test_headers_that_are_not_a_functions_to_set_do_not_pass(workshop: Workshop) -> None:
    headers = {"Content-Disposition": "inline", "X-Fc-Own": "x", "Server": "s", "Content-Length": "1", "X-Kept": "k"}
    said = {"statusCode": 200, "headers": headers, "body": "body"}
    reply = Site(workshop, SAYS).ask(method="POST", body=json.dumps(said).encode())
    assert (reply.headers["content-disposition"], reply.headers["x-kept"]) == ("attachment", "k")
    assert not {"x-fc-own", "server"} & reply.headers.keys()
    assert reply.body == b"body"


def test_a_function_error_is_a_502_with_its_type(workshop: Workshop) -> None:
    reply = Site(workshop, "def handler(event, context):\n    raise KeyError('x')").ask()
    assert (reply.status, reply.headers["x-fc-error-type"]) == (502, "UnhandledInvocationError")
    assert reply.json()["errorType"] == "KeyError"


def test_a_head_has_no_body(workshop: Workshop) -> None:
    reply = Site(workshop).ask(method="HEAD")
    assert (reply.status, reply.body) == (200, b"")


def test_another_site_is_answered_as_the_platform_does_it_unless_the_function_says_otherwise(
    workshop: Workshop,
) -> None:
    site = Site(workshop, SAYS)
    own = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "https://own"}}
    asked = [
        site.ask(method="POST", body=json.dumps(said).encode(), headers={"origin": "https://other"})
        for said in ({"statusCode": 200}, own)
    ]
    assert [reply.headers["access-control-allow-origin"] for reply in asked] == ["https://other", "https://own"]
    assert asked[0].headers["access-control-allow-credentials"] == "true"


def test_an_asynchronous_request_is_accepted_and_done_later(workshop: Workshop) -> None:
    site = Site(workshop)
    reply = site.ask(headers={"x-fc-invocation-type": "Async"})
    assert (reply.status, reply.body) == (202, b"")
    workshop.settle()
    (record,) = site.cloud.fc.accepted(site.target)
    assert (record.state, record.request_id) == ("Succeeded", reply.headers["x-fc-request-id"])


# who may pass


def test_the_viewers_signature_is_the_official_one(workshop: Workshop) -> None:
    site, at = Site(workshop), datetime.now(timezone.utc)
    for path in ("/", "/a$b/c%20d", "/?a=1&b=%2B%20~&c="):
        assert signed_headers(site.url + path, viewer(site.key), at) == official("GET", site.url + path, site.key, at)
        assert sent("GET", site.url + path, signed_headers(site.url + path, viewer(site.key), at)).status == 200


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=8), max_size=4))
def test_the_viewer_signs_any_query_as_the_official_function_does(query: dict[str, str]) -> None:
    encodable = {name: value.encode(errors="ignore").decode() for name, value in query.items()}
    url, at = f"http://h/?{urlencode(encodable)}", datetime.now(timezone.utc)
    key = Key("ak", "sk", "token")
    assert signed_headers(url, viewer(key), at) == official("GET", url, key, at)


@pytest.mark.parametrize("query", ["a=1&a=2", "a=%ff"])
def test_what_the_documentation_does_not_say_how_to_sign_is_not_signed(query: str) -> None:
    with pytest.raises(NotSignableError):
        signed_headers(f"http://h/?{query}", Credentials("ak", "sk"), datetime.now(timezone.utc))


def test_a_request_without_a_signature_is_refused(workshop: Workshop) -> None:
    site = Site(workshop)
    for headers in ({}, {"x-acs-date": "2024-01-01T00:00:00Z"}, {"authorization": "FC a:b"}):
        reply = site.ask(sign=False, headers=headers)
        assert reply.refusal == (400, "MissingRequiredHeader")
        assert reply.json()["Message"] == "required HTTP header Date was not specified"
        assert reply.headers["x-fc-error-type"] == "FcCommonError"
    assert site.cloud.fc.logs() == []


def test_what_was_signed_is_what_must_arrive(workshop: Workshop) -> None:
    site = Site(workshop)
    signed = official("GET", site.url + "/a?x=1", site.key)
    assert sent("GET", site.url + "/a?x=1", signed).status == 200
    forged = "0" * 64
    for method, path, headers in (
        ("GET", "/b?x=1", signed),
        ("GET", "/a?x=2", signed),
        ("GET", "/a", signed),
        ("POST", "/a?x=1", signed),
        ("GET", "/a?x=1", {**signed, "authorization": re.sub("[0-9a-f]{64}$", forged, signed["authorization"])}),
        ("GET", "/a?x=1", {**signed, "authorization": signed["authorization"].replace(";x-acs-security-token", "")}),
    ):
        assert sent(method, site.url + path, headers).refusal == (403, "SignatureNotMatch")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_old_signature_is_refused_with_both_times(workshop: Workshop, minutes: int) -> None:
    reply = Site(workshop).ask(at=datetime.now(timezone.utc) + timedelta(minutes=minutes))
    assert reply.status == 403
    assert re.fullmatch(
        r"the difference between the request time '.* GMT' and the current time '.* GMT' is too large",
        reply.json()["Message"],
    )


@pytest.mark.parametrize("fraction", ["", ".123", ".123456789"])
def test_a_date_may_have_a_fraction(workshop: Workshop, fraction: str) -> None:
    site = Site(workshop)
    assert site.ask(at=datetime.now(timezone.utc).strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z")).status == 200


def test_a_date_that_is_none_is_refused(workshop: Workshop) -> None:
    assert Site(workshop).ask(at="yesterday").refusal == (400, "InvalidArgument")


def test_a_key_must_be_known_fresh_and_with_its_own_token(workshop: Workshop) -> None:
    site = Site(workshop)
    key = site.cloud.role("viewer", ADMIN_POLICY)
    assert site.ask(key=Key("nobody", "sk")).refusal == (403, "InvalidAccessKeyID")
    assert site.ask(key=Key(key.access_key_id, key.access_key_secret)).refusal == (403, "InvalidSecurityToken")
    site.cloud.ram.expire(key.access_key_id)
    assert site.ask(key=key).refusal == (403, "SecurityTokenExpired")


def test_a_caller_needs_the_permission_to_invoke_this_function_and_no_more(workshop: Workshop) -> None:
    site = Site(workshop)
    statement = {"Effect": "Allow", "Action": "fc:InvokeFunction"}
    replies = {}
    for name in ("status", "other"):
        arn = f"acs:fc:{FC_REGION}:{ACCOUNT_ID}:functions/{name}"
        key = site.cloud.role("viewer", {"Version": "1", "Statement": [{**statement, "Resource": arn}]})
        replies[name] = site.ask(key=key)
    assert replies["status"].status == 200
    assert replies["other"].refusal == (403, "AccessDenied")
    assert replies["other"].json()["AccessDeniedDetail"]["AuthAction"] == "fc:InvokeFunction"


def test_a_long_lived_key_has_an_empty_token(workshop: Workshop) -> None:
    site = Site(workshop)
    key = site.cloud.ram.issue(site.cloud.ram.role("person", ACCOUNT_ID, ADMIN_POLICY))
    assert site.ask(key=key).status == 200


def test_a_method_that_the_trigger_does_not_list_is_refused(workshop: Workshop) -> None:
    site = Site(workshop, methods=["GET"])
    assert site.ask(method="POST").refusal == (403, "AccessDenied")
    assert site.ask().status == 200


def test_a_public_url_that_is_disabled_refuses_everything(workshop: Workshop) -> None:
    reply = Site(workshop, disable_url_internet=True).ask()
    assert reply.refusal == (403, "AccessDenied")
    assert reply.json()["Message"] == "access denied due to function internet URL is disabled"


def test_a_request_for_another_domain_is_not_this_triggers(workshop: Workshop) -> None:
    assert Site(workshop).ask(headers={"host": "evil.example"}).refusal == (404, "DomainNameNotFound")


@pytest.mark.parametrize(
    ("path", "headers"), [("/" + "a" * 4096, {}), ("/?a=" + "b" * 4096, {}), ("/", {"x-long": "v" * 8192})]
)
def test_a_request_beyond_the_limits_is_refused(workshop: Workshop, path: str, headers: dict[str, str]) -> None:
    assert Site(workshop).ask(path, headers=headers).refusal == (400, "InvalidArgument")


def test_a_body_over_32_megabytes_is_refused(workshop: Workshop) -> None:
    assert Site(workshop).ask(method="POST", body=b"x" * (32 * 1024 * 1024 + 1)).refusal == (400, "InvalidArgument")


# the cloud around it


def test_faults_strike_requests_and_the_calls_are_logged_without_what_they_carry(workshop: Workshop) -> None:
    site = Site(workshop)
    site.cloud.faults.arm(Fault("InvokeFunction", "throttle"))
    assert site.ask("/?a=secret").status == 429
    assert site.ask("/?a=secret").status == 200
    refused, served = site.cloud.calls.matching("InvokeFunction")
    assert (refused.fault, served.status, served.role) == ("throttle", 200, "admin")
    assert served.params == {"FunctionName": "status", "TriggerName": "page", "Method": "GET"}


def test_a_trigger_keeps_its_url_when_it_is_deployed_again_and_is_gone_when_it_is_removed(workshop: Workshop) -> None:
    site = Site(workshop)
    again = Site(workshop, methods=["POST"])
    assert (again.url, again.ask().status) == (site.url, 403)
    site.cloud.http.remove(site.target, "page")
    assert site.ask().refusal == (404, "TriggerNotFound")
    for function, trigger in (("status", "page"), ("status", "other")):
        with pytest.raises(ApiError, match="TriggerNotFound"):
            site.cloud.fc.url(function, trigger)


def test_a_manifest_declares_a_trigger_and_its_url_is_learned(skipping: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    code = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
    (tmp_path / "src" / "index.py").write_text(code, encoding="utf-8")
    config = {"authType": "function", "methods": ["GET"], "disableURLInternet": False}
    trigger = {"triggerName": "page", "triggerType": "http", "triggerConfig": config}
    props = {
        "region": FC_REGION,
        "functionName": "status",
        "runtime": "python3.10",
        "code": "./src",
        "handler": "index.handler",
        "triggers": [trigger],
    }
    document = {"edition": "3.0.0", "name": "app", "resources": {"status": {"component": "fc3", "props": props}}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    skipping.deploy(tmp_path / "s.yaml", {}, {})
    url = skipping.fc.url("status", "page")
    assert sent("GET", url + "/", official("GET", url + "/", skipping.admin)).body == b"hello"
    trigger["triggerName"] = "other"
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    skipping.deploy(tmp_path / "s.yaml", {}, {})
    assert list(skipping.http.urls()) == [("status", "other")]


def test_a_trigger_stops_in_the_middle_of_a_request(tmp_path: Path) -> None:
    waits = """
        def handler(event, context):
            (SIGNALS / "here").touch()
            while True:
                time.sleep(0.01)
    """
    with LocalCloud() as cloud:
        workshop = Workshop(cloud, tmp_path)
        site = Site(workshop, waits)
        asked = workshop.in_background(site.ask)
        workshop.signed("here")
        cloud.http.stop()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            asked.result(BOUND)


def test_the_ports_are_given_back(workshop: Workshop) -> None:
    site = Site(workshop)
    site.cloud.http.stop()
    with pytest.raises(ConnectionRefusedError):
        site.ask()

from __future__ import annotations

import pytest
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import OpenApiRequest, Params

from tests.localcloud.api import ApiError
from tests.localcloud.gateway import wire
from tests.localcloud.gateway.calls import redacted
from tests.localcloud.gateway.wire import FORM, HttpRequest
from tests.localcloud.server import LocalCloud
from tests.loopback import clients


def request(query: str = "", body: bytes = b"", method: str = "POST", **headers: str) -> HttpRequest:
    """Return a request; underscores in header names stand for hyphens."""
    return HttpRequest(method, "/", query, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def refusal(asked: HttpRequest) -> tuple[int, str]:
    """Return how the gateway refuses the form of a request."""
    with pytest.raises(ApiError) as caught:
        wire.check_form(asked, ["2016-01-20", "2021-05-15"])
    return caught.value.status, caught.value.code


def test_action_and_version_come_from_headers() -> None:
    asked = request("Action=Other&Version=1", x_acs_action="PutSecretValue", x_acs_version="2016-01-20")
    assert (asked.action, asked.version) == ("PutSecretValue", "2016-01-20")


def test_headers_say_nothing_where_the_signature_does_not_cover_them() -> None:
    query = "Action=Other&Version=1&Signature=x"
    asked = request(query, x_acs_action="PutSecretValue", x_acs_version="2016-01-20")
    assert (asked.action, asked.version) == ("Other", "1")


def test_action_and_version_come_from_query_or_form() -> None:
    asked = request("Action=PutSecretValue", b"Version=2016-01-20", content_type=FORM)
    assert (asked.action, asked.version) == ("PutSecretValue", "2016-01-20")


def test_query_and_form_are_merged_with_blank_values_kept() -> None:
    asked = request("A=1&B=&C=x%20y+z", b"D=%E5%AF%86&A=2", content_type=f"{FORM}; charset=utf-8")
    assert asked.params == {"A": "2", "B": "", "C": "x y z", "D": "密"}


def test_a_body_that_is_no_form_has_no_parameters() -> None:
    assert request(body=b"A=1", content_type="application/json").params == {}


def test_the_service_sees_no_parameter_of_the_protocol() -> None:
    protocol = "&".join(f"{name}=x" for name in wire.PROTOCOL_PARAMETERS)
    assert request(f"{protocol}&SecretName=s").params == {"SecretName": "s"}


def test_parameters_that_are_not_utf_8_are_refused_without_quoting_them() -> None:
    with pytest.raises(ApiError) as caught:
        _ = request("Password=%FF").params
    assert (caught.value.code, caught.value.__context__) == ("ParseRequestParameterException", None)


def test_a_request_never_shows_what_it_carries() -> None:
    shown = repr(request("Password=Marker1", b"SecretData=Marker2", authorization="Marker3"))
    assert "Marker" not in shown


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request(method="PUT"), (403, "UnsupportedHTTPMethod")),
        (request("Version=2016-01-20"), (400, "MissingParameter")),
        (request("Action=ListSecrets"), (400, "MissingParameter")),
        (request("Action=ListSecrets&Version=2020-01-01"), (400, "InvalidVersion")),
    ],
)
def test_what_is_no_call_of_any_product_is_refused(asked: HttpRequest, answer: tuple[int, str]) -> None:
    assert refusal(asked) == answer


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_get_and_post_are_both_good(method: str) -> None:
    wire.check_form(request("Action=ListSecrets&Version=2016-01-20", method=method), ["2016-01-20"])


def test_a_refusal_has_the_documented_body() -> None:
    answer = wire.refused(ApiError(404, "A.B", "m", AccessDeniedDetail={"X": "y"}), "ID", "host", {"h": "v"})
    assert (answer.status, answer.code, answer.headers) == (404, "A.B", {"h": "v"})
    assert answer.body == (
        b'{"HttpStatus":404,"Code":"A.B","Message":"m","RequestId":"ID","HostId":"host",'
        b'"Recommend":"https://next.api.aliyun.com/troubleshoot?q=A.B","AccessDeniedDetail":{"X":"y"}}'
    )


def test_an_answer_carries_the_request_id() -> None:
    assert wire.answered({"SecretName": "ä"}, "ID").body == '{"SecretName":"ä","RequestId":"ID"}'.encode()


def test_secret_values_are_redacted_whatever_the_case_of_their_names() -> None:
    secret = {"Password": "x", "secretdata": "x", "Signature": "x", "SecurityToken": "x"}
    assert redacted({**secret, "UserId": "u"}) == dict.fromkeys(secret, "***") | {"UserId": "u"}


def test_a_product_without_the_action_says_so(cloud: LocalCloud) -> None:
    params = Params(
        action="RestartSecret",
        version="2016-01-20",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    with pytest.raises(ClientException) as caught:
        clients.kms(cloud).call_api(params, OpenApiRequest(query={"SecretName": "s"}), clients.QUICK)
    assert (caught.value.status_code, caught.value.code) == (404, "InvalidAction.NotFound")


def test_parameters_may_travel_in_the_form_where_the_sdk_sends_them_in_the_query(cloud: LocalCloud) -> None:
    params = Params(
        action="ListUsers",
        version="2021-05-15",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    form = {"DirectoryId": cloud.cloudsso.directory_id, "Filter": "UserName eq a b"}
    answer = clients.cloudsso(cloud).call_api(params, OpenApiRequest(body=form), clients.QUICK)
    assert answer["body"]["TotalCounts"] == 0
    assert cloud.calls.matching("ListUsers")[0].params == form


def test_an_unknown_version_is_refused_over_http(cloud: LocalCloud) -> None:
    reply = clients.send(cloud, "/?Action=X&Version=1999-01-01", method="GET")
    assert (reply.status, reply.code) == (400, "InvalidVersion")
    assert reply.body["HostId"] == cloud.endpoint


def test_a_refusal_reaches_the_sdk_with_its_request_id(cloud: LocalCloud) -> None:
    with pytest.raises(ClientException) as caught:
        clients.kms(cloud).get_secret_value(kms_models.GetSecretValueRequest(secret_name="none"))
    assert caught.value.code == "Forbidden.ResourceNotFound"
    assert [caught.value.request_id] == [record.request_id for record in cloud.calls]

"""What went wrong between the viewer and the page, in words, with what to do about it.

The codes are those of Function Compute's error code page; which of its refusals is about a clock, a method or a
disabled URL, its message says ("Configure signature authentication for HTTP triggers", "Configure an HTTP trigger").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.viewer.upstream import Address, Fetched, Unreached

_RENEW = (
    "Export all three again: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, with a temporary key, "
    "ALIBABA_CLOUD_SECURITY_TOKEN (without one, unset it). Then start `make status` again."
)
_CODES: dict[str, tuple[str, str]] = {
    "SignatureNotMatch": ("The signature is not right: the secret does not belong to the access key.", _RENEW),
    "MissingRequiredHeader": (
        "The signature did not arrive.",
        "A proxy on the way takes headers off. Go around it: unset HTTPS_PROXY, or set NO_PROXY for this host.",
    ),
    "InvalidAccessKeyID": ("Nobody knows this access key: it was deleted, or is another site's.", _RENEW),
    "InvalidSecurityToken": ("The security token does not belong to the access key.", _RENEW),
    "SecurityTokenExpired": ("The temporary key is past its time.", _RENEW),
    "ResourceThrottled": (
        "The function has more requests than it may serve at once.",
        "Wait a few seconds, and reload.",
    ),
}
_UNREACHED = {
    "tls": (
        502,
        "The certificate of the trigger's host could not be verified.",
        "A proxy that opens HTTPS needs its own certificate in REQUESTS_CA_BUNDLE. Otherwise check the URL.",
    ),
    "timeout": (
        504,
        "The trigger did not answer in time.",
        "Reload: the first request after a pause is slower. If it stays so, the function's log says what it waits for.",
    ),
    "connection": (
        502,
        "The trigger's host cannot be reached.",
        "Check the URL, the network and HTTPS_PROXY. An address with -vpc in it answers only from within its VPC.",
    ),
    "unsignable": (400, "This address cannot be signed.", "Take one value for each name of the query."),
}


@dataclass(frozen=True)
class Trouble:
    """What the operator is told."""

    status: int
    what: str
    cure: str
    detail: str = ""  # what the other side said
    request_id: str = ""


def of(answer: Fetched | Unreached, address: Address) -> Trouble | None:
    """Return what is wrong with an answer; None for the function's own, whatever its status."""
    if isinstance(answer, Unreached):
        status, what, cure = _UNREACHED[answer.what]
        return Trouble(status, what, cure, answer.detail)
    request_id = answer.headers.get("x-fc-request-id", "")
    if answer.failed:  # its body is an exception with a stack trace: for the log, not for a page
        what = "The function failed before it could answer."
        cure = f"Look for request {request_id or 'id'} in the function's log (Log Service), and reload."
        return Trouble(502, what, cure, answer.headers["x-fc-error-type"], request_id)
    if answer.status // 100 == 3:
        cure = "The viewer follows none, so as to send no signature elsewhere. Give the other address, if it is yours."
        return Trouble(502, "The trigger redirects to elsewhere.", cure, "", request_id)
    refusal = answer.refusal()
    if refusal is None:
        return None
    what, cure = _explained(answer.status, *refusal, address)
    return Trouble(answer.status, what, cure, ": ".join(refusal), request_id)


def _explained(status: int, code: str, message: str, address: Address) -> tuple[str, str]:
    if code == "AccessDenied":
        return _denied(message, address)
    if code in _CODES:
        return _CODES[code]
    if status == 404:
        return (
            "There is no such trigger.",
            "Copy the URL again from what `s rotation_status info` prints, or from the console (function, Triggers).",
        )
    if status >= 500:
        return "Function Compute has a problem of its own.", "Reload in a minute; the request id helps its support."
    return "Function Compute refused the request.", "Its own words are below; the request id helps its support."


def _denied(message: str, address: Address) -> tuple[str, str]:
    if "is too large" in message and "time" in message:
        return (
            "This computer's clock is off by more than 15 minutes.",
            "Set it (`timedatectl set-ntp true`), then reload.",
        )
    if "internet URL" in message:
        return (
            "The trigger's public address is disabled (disableURLInternet).",
            "Give the internal address, from within the VPC, or set disableURLInternet: false in s.yaml and deploy.",
        )
    if "method" in message.lower() and "GET" in message:
        return "The trigger does not accept GET.", "Add GET to its methods in s.yaml, and deploy."
    statement = {
        "Effect": "Allow",
        "Action": "fc:InvokeFunction",
        "Resource": f"acs:fc:{address.region}:*:functions/<the function's name>",
    }
    return (
        "The owner of this access key may not invoke the function.",
        f"An administrator of RAM adds to a policy of yours: {json.dumps(statement)}",
    )

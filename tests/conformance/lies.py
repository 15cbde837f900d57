"""For each behaviour a service that does not have it: a behaviour that cannot differ would prove nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from shared.openapi import Failure
from tests.conformance.account import Account
from tests.conformance.gate import Gate, Pace
from tests.conformance.guard import Asked

Lie = Callable[[Asked, Callable[[], Any]], Any]  # a call, and what the honest service answers
Change = Callable[[Any], object]
When = Callable[[Asked], object]


class LyingGate(Gate):
    """A gate behind which one thing is not so."""

    def __init__(self, account: Account, pace: Pace, lie: Lie) -> None:
        super().__init__(account, pace)
        self._lie = lie

    def ask(self, asked: Asked, do: Callable[[], Any]) -> Any:  # noqa: ANN401 - as inherited
        """Ask the honest service, or do not, and answer something else."""
        return self._lie(asked, lambda: super(LyingGate, self).ask(asked, do))


def _always(_asked: Asked) -> bool:
    return True


def _accepted(body: object = None) -> dict[str, Any]:
    return {"body": {"RequestId": "R"} if body is None else body, "headers": {}, "statusCode": 202}


def _altered(action: str, change: Change, when: When = _always) -> Lie:
    """Return a service whose answers to an action are changed."""

    def lie(asked: Asked, honest: Callable[[], Any]) -> Any:  # noqa: ANN401 - an answer
        answer = honest()
        if asked.action == action and when(asked) and not isinstance(answer, Failure):
            change(answer)
        return answer

    return lie


def _told(action: str, place: str = "", when: When = _always, **fields: object) -> Lie:
    """Return a service that tells other values of some fields."""
    return _altered(action, lambda answer: (answer["body"][place] if place else answer["body"]).update(fields), when)


def _pretended(action: str) -> Lie:
    """Return a service that says it did something, and did not."""
    return lambda asked, honest: _accepted() if asked.action == action else honest()


def _forgiven(action: str, body: object = None) -> Lie:
    """Return a service that says it did what it refused."""

    def lie(asked: Asked, honest: Callable[[], Any]) -> Any:  # noqa: ANN401 - an answer
        answer = honest()
        return _accepted(body) if asked.action == action and isinstance(answer, Failure) else answer

    return lie


def _refused(action: str, when: When) -> Lie:
    """Return a service that refuses something without need."""
    no = Failure("InvalidParameter", 400, "unknown")
    return lambda asked, honest: no if asked.action == action and when(asked) else honest()


def _again() -> When:
    """Recognise a call that was made before."""
    seen: list[tuple[str, object]] = []

    def was_made(asked: Asked) -> bool:
        call = (asked.action, dict(asked.params))
        known = call in seen
        seen.append(call)
        return known

    return was_made


def _versions(change: Change, when: When = _always) -> Lie:
    return _altered("ListSecretVersionIds", lambda answer: change(answer["body"]["VersionIds"]["VersionId"]), when)


def _called(old: str, new: str) -> Lie:
    """Return a service that calls a stage by another name."""

    def change(versions: Any) -> None:  # noqa: ANN401 - a list of versions
        for version in versions:
            stages = version["VersionStages"]
            stages["VersionStage"] = [new if stage == old else stage for stage in stages["VersionStage"]]

    return _versions(change)


def _untagged(answer: Any) -> None:  # noqa: ANN401 - an answer
    for user in answer["body"]["Users"]:
        user.pop("Tags", None)


def _flattened(answer: Any) -> None:  # noqa: ANN401 - an answer
    answer["body"]["SecretData"] = answer["body"]["SecretData"].replace("\n", " ")


def _with_all(asked: Asked) -> bool:
    return bool(asked.params.get("IncludeDeprecated") == "true")


LIES: dict[str, Lie] = {
    "A new user is enabled, kept by hand, and dated in UTC, to the second": _told("GetUser", "User", Status="Disabled"),
    "A user is found by the name, in any case, and nobody else with it": _told(
        "ListUsers", when=lambda asked: "CONFORMANCE" in asked.params["Filter"], Users=[]
    ),
    "`UserName sw` finds whoever begins so, page after page": _told("ListUsers", IsTruncated=False),
    "The last page is not truncated": _told("ListUsers", IsTruncated=True),
    "A listing shows tags": _altered("ListUsers", _untagged),
    "A user name is given once": _forgiven("CreateUser", {"User": {}}),
    "A deleted user is not found any more, and cannot be reset": _pretended("DeleteUser"),
    "An unknown directory does not exist": _forgiven("GetPasswordPolicy"),
    "The password policy says how many days a password lives, from 1 to 120": _told(
        "GetPasswordPolicy", "PasswordPolicy", MaxPasswordAge=0
    ),
    "Whether SSO logon is enabled is told": _told(
        "GetExternalSAMLIdentityProvider", "SAMLIdentityProviderConfiguration", SSOStatus="Perhaps"
    ),
    "A generated password is in the answer, of every class of characters, and each is another one": _told(
        "ResetUserPassword", NewPassword="Same-Passw0rd!"
    ),
    "A password is accepted in the form body, and not answered": _told(
        "ResetUserPassword", NewPassword="Echo-Passw0rd!"
    ),
    "That the user must change the password is accepted": _refused(
        "ResetUserPassword", lambda asked: asked.params.get("RequirePasswordResetForNextLogin") == "True"
    ),
    "A reset without a password, and without asking for one, is refused": _forgiven("ResetUserPassword"),
    "A password that the policy forbids is refused, and a good one is accepted after it": _forgiven(
        "ResetUserPassword"
    ),
    "The first version of a secret is current": _called("ACSCurrent", "First"),
    "A secret's name is given once": _forgiven("CreateSecret"),
    "A version put without stages becomes current, and the one before it previous": _called("ACSPrevious", "Before"),
    "A version put with a stage of its own leaves the current one alone": _called("Pending", "ACSCurrent"),
    "The same put again succeeds and changes nothing": _refused("PutSecretValue", _again()),
    "A version is written once: another value under its id is refused, and the first one stays": _forgiven(
        "PutSecretValue"
    ),
    "Of two puts of one new id with different values, made at once, exactly one is accepted": _forgiven(
        "PutSecretValue"
    ),
    "A listing leaves out versions without a stage, unless they are asked for": _versions(
        lambda versions: versions.pop(0), _with_all
    ),
    "A version is dated in UTC, to the second": _versions(lambda versions: versions[0].update(CreateTime="today")),
    "Ten versions are kept; the newest is among them": _versions(lambda versions: versions.pop(0)),
    "A version without a stage that nobody keeps is not found any more": _forgiven("GetSecretValue"),
    "A stage is on one version at a time, and can be moved and taken away": _pretended("UpdateSecretVersionStage"),
    "A ninth stage is refused": _forgiven("PutSecretValue"),
    "Any text comes back as it was written, up to 30,720 bytes": _altered("GetSecretValue", _flattened),
    "Unknown secrets, versions and stages are not found": _forgiven("GetSecretValue"),
    "Tags are set one by one, shown when asked for, and found by their key and by their value": _pretended(
        "UntagResource"
    ),
    "A secret in deletion blocks its name, and comes back with its versions when it is restored": _pretended(
        "DeleteSecret"
    ),
    "A secret deleted without a window is gone at once, and its name is free": _pretended("DeleteSecret"),
    "A function's answer comes back as it is": _altered(
        "InvokeFunction", lambda answer: answer.update(body=io.BytesIO(b"hello"))
    ),
    "That a function raised is told by a header, with status 200": _altered(
        "InvokeFunction", lambda answer: answer.update(headers={})
    ),
    "An asynchronous call is accepted with 202 and no body, and becomes a task that ends": _told(
        "GetAsyncTask", status="Running"
    ),
    "A task id is accepted once, and then refused with 409": _forgiven("InvokeFunction", io.BytesIO()),
    "A task id may have 128 letters, digits, hyphens and underscores, and no dot": _forgiven(
        "InvokeFunction", io.BytesIO()
    ),
    "An unknown function is not found": _forgiven("InvokeFunction", io.BytesIO()),
    "An asynchronous event of more than 128 KB is refused": _forgiven("InvokeFunction", io.BytesIO()),
}

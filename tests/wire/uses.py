"""What a function does with its permissions: each use is a whole invocation through unmodified SDKs, for one user.

A use says how it ended, and what became of the user's password: at the user portal, the old one is tried, and the one
that KMS has.
"""

from __future__ import annotations

from typing import Any

from shared.errors import RotatorError
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.switches import Switches
from tests.wire.scanning import Scanning
from tests.wire.surveys import Surveys

FIRST = "First-Pass-01!x"
KEPT, NEW, LOST = "the old password works", "KMS has the new password", "the password is lost"
NOBODY, ONE = "nobody is dispatched", "one user is dispatched"
EVERYTHING = "everything is shown"


def rotates(deployed: Deployment, event: dict[str, object], name: str) -> str:
    """Ask for a rotation, and say how it ended."""
    try:
        ending = str(deployed.outcome(event)["Outcome"])
    except RotatorError as error:
        ending = _told(error)
    return f"`{ending}`; {password_of(deployed, name)}"


def password_of(deployed: Deployment, name: str) -> str:
    """Say which password of a user the portal accepts."""
    if deployed.signs_in(name, FIRST) == "ok":
        return KEPT
    published = deployed.secret(name).get("Password", "")
    return NEW if deployed.signs_in(name, published) == "ok" else LOST


def _told(error: RotatorError) -> str:
    """Return an error's reason, or of a fan-out's the only dispatch's; whoever is denied is told what to attach."""
    reason = "dispatch-denied" if "dispatch-denied: " in str(error) else error.reason
    assert "policy.json" in str(error) or not reason.endswith("-denied")
    return reason


def by_name(deployed: Deployment, name: str) -> str:
    return rotates(deployed, {"UserName": name}, name)


def by_id(deployed: Deployment, name: str) -> str:
    return rotates(deployed, {"UserId": deployed.user_ids[name]}, name)


def dry_run(deployed: Deployment, name: str) -> str:
    return rotates(deployed, {"UserName": name, "DryRun": True}, name)


def indexed(deployed: Deployment, name: str) -> str:
    outcome = deployed.outcome({"UserName": name})
    return f"`{outcome['Outcome']}`, `Indexed` is {str(outcome['Indexed']).lower()}; {password_of(deployed, name)}"


def stuck_stage(deployed: Deployment, name: str) -> str:
    """Rotate where KMS does not move a custom stage, and the claim of the last rotation carries it."""
    deployed.cloud.switches = Switches(stage_can_be_taken=False)
    for _ in range(2):  # the first claim of all makes the secret, and has no stage of its own
        deployed.invoke({"UserName": name})
        deployed.later(3600)
    return by_name(deployed, name)


def refused_candidate(deployed: Deployment, name: str) -> str:
    """Stage candidates that CloudSSO refuses, and look for the directory's policy in the error."""
    told = _refused(deployed, name)
    ending = "with the policy" if "MinPasswordLength" in str(told) else "the policy is unknown"
    return f"`{told.reason}`, {ending}; {password_of(deployed, name)}"


def worn_out(deployed: Deployment, name: str) -> str:
    """Fail until the claims are used up, and look for what each failed of in the error."""
    told = _refused(deployed, name)
    while told.retryable:
        deployed.later(120)
        told = _refused(deployed, name)
    ending = "with what each claim failed of" if "r1-c6:password-rejected" in str(told) else "why is not known"
    return f"`{told.reason}`, {ending}; {password_of(deployed, name)}"


def _refused(deployed: Deployment, name: str) -> RotatorError:
    refusal = Fault("ResetUserPassword", "error", status=400, code="InvalidParameter.Password", count=99)
    deployed.cloud.faults.arm(refusal)
    try:
        deployed.invoke({"UserName": name, "GenerateRandomPassword": False})
    except RotatorError as error:
        return error
    finally:
        deployed.cloud.faults.clear()
    raise AssertionError("the candidate was not refused")


def scans(scan: Scanning, _name: str) -> str:
    """Scan, and say how that ended and how many were dispatched."""
    try:
        scan.scan()
        ending = "scanned"
    except RotatorError as error:
        ending = _told(error)
    return f"`{ending}`; {ONE if len(scan.dispatched()) == 1 else NOBODY}"


def shows(surveys: Surveys, name: str) -> str:
    """Ask about a user and for the doctor, and say what of the picture is not there, and what the doctor calls that."""
    answer, doctor = surveys.show(UserName=name), surveys.show(Doctor=True)
    missing = [what for what, seen in _seen(answer).items() if seen is None]
    if not missing:
        assert (doctor["Healthy"], doctor["Complete"], doctor["Findings"]) == (True, True, [])
        return EVERYTHING
    (gap,), (finding,) = answer["Gaps"], doctor["Findings"]
    assert "policy.json" in gap["Message"]
    assert f"The {gap['Part']} could not be read." in finding["What"]
    assert (answer["Healthy"], answer["Complete"], doctor["Healthy"], doctor["Complete"]) == (False,) * 4
    states = answer["States"] or {}
    assert not any(states.get(state) for state in ("unmanaged", "expired", "stuck", "foreign"))
    return f"`{finding['Problem']}`; not shown: {', '.join(missing)}"


def _seen(answer: dict[str, Any]) -> dict[str, object]:
    """Return each part of the picture of one user; None: it is not there."""
    one = answer["Standings"][0] if answer["Standings"] else {}
    return {
        "the policy": answer["MaxPasswordAgeDays"],
        "SSO logon": answer["SsoEnabled"],
        "users": answer["Users"],
        "rotations": one.get("RotatedAt"),
        "when they expire": one.get("ExpiresAt"),
        "versions": one.get("Versions"),
    }

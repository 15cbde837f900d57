"""Nothing in a function's policy can be spared: every permission is taken away by itself, and missed by name.

RAM is the loopback cloud's, and judges every call of the unmodified SDKs. needs.py says what needs each permission.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.errors import DirectoryDenied, SecretStoreDenied
from tests.deployment import Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.wire import uses
from tests.wire.benches import deployment, permissions, scanning, surveying
from tests.wire.grants import document, written
from tests.wire.needs import ROTATOR, SCAN, STATUS, Need
from tests.wire.scanning import Scanning
from tests.wire.surveys import Surveys

REQUEST = {"UserName": "alice"}

pytestmark = pytest.mark.evidence  # what test_permissions.py publishes is what these tests see


def rows(function: str, needs: Sequence[Need[Any]], *, wide: bool = False) -> pytest.MarkDecorator:
    """Return each permission of a policy.json by its number, or each wide one, with its need, as parameters."""
    reasons = {(need.action, need.place): need for need in needs}
    return pytest.mark.parametrize(
        ("number", "need"),
        [
            pytest.param(number, reasons.get((one.action, one.place)), id=f"{one.action} on {one.place}")
            for number, one in enumerate(written(function))
            if "*" in one.place or not wide
        ],
    )


@pytest.mark.parametrize(
    ("function", "needs"), [("reset_password", ROTATOR), ("scan_expiring", SCAN), ("rotation_status", STATUS)]
)
def test_every_permission_has_a_reason_and_every_reason_a_permission(function: str, needs: Sequence[Need[Any]]) -> None:
    wanted = [(need.action, need.place) for need in needs]
    assert sorted((one.action, one.place) for one in written(function)) == sorted(wanted)
    assert all(("*" in need.place) is bool(need.narrower) and need.without != need.ends for need in needs)


# without one permission


@rows("reset_password", ROTATOR)
def test_a_missing_permission_is_told_and_nothing_is_called_a_success(
    cloud: LocalCloud, number: int, need: Need[Deployment]
) -> None:
    deployed = deployment(cloud, need.reading)
    everything = permissions(deployed)
    deployed.become(document([*everything[:number], *everything[number + 1 :]]))
    assert need.use(deployed, "alice") == need.without
    deployed.become(document(everything))
    deployed.later(3600)
    again = {**REQUEST, "Force": need.use is uses.worn_out}
    assert uses.rotates(deployed, again, "alice") == f"`rotated`; {uses.NEW}"


@rows("scan_expiring", SCAN)
def test_a_scan_that_misses_a_permission_dispatches_nobody(
    cloud: LocalCloud, number: int, need: Need[Scanning]
) -> None:
    scan = scanning(cloud, need.reading)
    everything = permissions(scan)
    scan.become(document([*everything[:number], *everything[number + 1 :]]))
    assert need.use(scan, "user000000") == need.without
    scan.become(document(everything))
    assert need.use(scan, "user000000") == need.ends


@rows("rotation_status", STATUS)
def test_what_a_missing_permission_hides_is_named_and_the_rest_is_shown(
    cloud: LocalCloud, number: int, need: Need[Surveys]
) -> None:
    surveys = surveying(cloud, need.reading)
    everything = permissions(surveys)
    surveys.status_becomes(document([*everything[:number], *everything[number + 1 :]]))
    assert need.use(surveys, "alice") == need.without
    surveys.status_becomes(document(everything))
    assert need.use(surveys, "alice") == need.ends


def test_without_the_right_to_publish_it_is_told_that_the_password_is_lost_and_why(cloud: LocalCloud) -> None:
    deployed = deployment(cloud)
    deployed.become(document(one for one in permissions(deployed) if one.action != "kms:PutSecretValue"))
    with pytest.raises(SecretStoreDenied, match="the live password is lost and the user cannot log on"):
        deployed.invoke(REQUEST)


def test_without_the_right_to_publish_a_later_rotation_fails_at_its_claim_and_resets_nothing(cloud: LocalCloud) -> None:
    deployed = deployment(cloud)
    deployed.invoke(REQUEST)
    deployed.later(3600)
    deployed.become(document(one for one in permissions(deployed) if one.action != "kms:PutSecretValue"))
    assert uses.by_name(deployed, "alice") == f"`secret-store-denied`; {uses.NEW}"


def test_a_denied_reset_burns_a_claim_but_not_the_password(cloud: LocalCloud) -> None:
    deployed = deployment(cloud)
    cloud.faults.arm(Fault("ResetUserPassword", "error", status=403, code="NoPermission"))
    with pytest.raises(DirectoryDenied):
        deployed.invoke(REQUEST)
    assert deployed.tags("alice")["Attempt1"] == "r1-c1:directory-denied"
    assert uses.password_of(deployed, "alice") == uses.KEPT
    deployed.later(120)
    assert deployed.outcome(REQUEST)["Attempt"] == 2


# with less than a wildcard


@rows("reset_password", ROTATOR, wide=True)
def test_what_is_narrower_than_a_wildcard_does_not_do_for_the_next_user(
    cloud: LocalCloud, number: int, need: Need[Deployment]
) -> None:
    deployed = deployment(cloud, need.reading)
    everything = permissions(deployed)
    own = {"directory": deployed.directory_id, "user": "alice", "user_id": deployed.user_ids["alice"]}
    everything[number] = everything[number].within(need.narrower.format(**own))
    deployed.become(document(everything))
    assert need.use(deployed, "bob") == need.without


@rows("scan_expiring", SCAN, wide=True)
def test_what_is_narrower_than_a_wildcard_does_not_do_for_a_scan(
    cloud: LocalCloud, number: int, need: Need[Scanning]
) -> None:
    scan = scanning(cloud, need.reading)
    everything = permissions(scan)
    own = {"directory": scan.directory_id, "user": "user000000", "user_id": scan.crowd(1)[0]}
    everything[number] = everything[number].within(need.narrower.format(**own))
    scan.become(document(everything))
    assert need.use(scan, "user000000") == need.without


@rows("rotation_status", STATUS, wide=True)
def test_what_is_narrower_than_a_wildcard_does_not_show_the_next_user(
    cloud: LocalCloud, number: int, need: Need[Surveys]
) -> None:
    surveys = surveying(cloud, need.reading)
    everything = permissions(surveys)
    own = {"directory": surveys.directory_id, "user": "alice", "user_id": surveys.user_ids["alice"]}
    everything[number] = everything[number].within(need.narrower.format(**own))
    surveys.status_becomes(document(everything))
    assert need.use(surveys, "bob") == need.without


def test_where_kms_asks_for_a_new_secrets_own_name_less_than_every_secret_would_do(cloud: LocalCloud) -> None:
    """Not relied on: which of three resources KMS asks for is not known, and this does not do for the second."""
    deployed = deployment(cloud, reading=2)
    narrower = [
        one.within(f"secret/cloudsso/{deployed.directory_id}/*") if one.place == "secret/*" else one
        for one in permissions(deployed)
        if one.place != "secret"
    ]
    deployed.become(document(narrower))
    assert uses.by_name(deployed, "alice") == f"`rotated`; {uses.NEW}"

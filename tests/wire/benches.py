"""Where permissions are tried: each function with exactly its policy, and users to use it for."""

from __future__ import annotations

from collections.abc import Sequence

from tests.deployment import Deployment, policy
from tests.localcloud.server import LocalCloud
from tests.wire.grants import Grant, granted
from tests.wire.scanning import Scanning
from tests.wire.surveys import Surveys
from tests.wire.uses import FIRST

KEY = "key-1"


def deployment(cloud: LocalCloud, reading: int | None = None, names: Sequence[str] = ("alice", "bob")) -> Deployment:
    """Deploy the rotator where secrets have a key of their own; the users have a password, and no secret."""
    cloud.ram.reading = reading
    deployed = Deployment(cloud, KMS_KEY_ID=KEY)
    for name in names:
        deployed.add_user(name, FIRST)
    return deployed


def scanning(cloud: LocalCloud, reading: int | None = None) -> Scanning:
    """Deploy the scan, with one user who is due."""
    cloud.ram.reading = reading
    scan = Scanning(cloud)
    scan.crowd(1, age=lambda _number: 80)
    return scan


def surveying(cloud: LocalCloud, reading: int | None = None) -> Surveys:
    """Deploy the function that shows the state, with two users who were rotated."""
    cloud.ram.reading = reading
    surveys = Surveys(cloud)
    for name in ("alice", "bob"):
        surveys.add_user(name)
        surveys.invoke({"UserName": name})
    surveys.later(3600)
    cloud.calls.clear()
    return surveys


def permissions(of: Deployment | Scanning) -> list[Grant]:
    """Return what a function's policy.json grants, here."""
    if isinstance(of, Surveys):
        return granted(of.status_policy())
    return granted(of.policy() if isinstance(of, Scanning) else policy(of.directory_id, KEY))

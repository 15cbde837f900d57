"""`python -m tests.localcloud --deploy s.yaml`: what is around a manifest when there is nothing but the cloud.

The project's own s.yaml names a package for the Python of its runtime. What is deployed of it here is the same package
for the Python that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.localcloud.fc.manifest import Manifest
from tests.localcloud.server import ACCOUNT_ID, ADMIN_POLICY, DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud
from tests.package import for_this_interpreter

MANIFEST = Path(__file__).parents[2] / "s.yaml"


def environment(cloud: LocalCloud, given: Mapping[str, str]) -> dict[str, str]:
    """Return what env() sees: the environment given, with everything that this cloud decides in its place."""
    endpoint = f"http://{cloud.endpoint}"
    return {
        "LOG_PROJECT": "loopback",
        **given,
        "CLOUDSSO_DIRECTORY_ID": cloud.cloudsso.directory_id,
        "CLOUDSSO_REGION": DIRECTORY_REGION,
        "CLOUDSSO_ENDPOINT": endpoint,
        "KMS_REGION": KMS_REGION,
        "KMS_ENDPOINT": endpoint,
        "FC_REGION": FC_REGION,
        "ROTATION_ENDPOINT": endpoint,
    }


def deploy(cloud: LocalCloud, path: Path, given: Mapping[str, str], roles: Mapping[str, dict[str, Any]]) -> Manifest:
    """Deploy a manifest, and create what it expects to be there; a role without a policy may do anything."""
    environ = environment(cloud, given)
    manifest = Manifest.read(path, environ, ACCOUNT_ID)
    for name in manifest.queues():
        cloud.smq.create_queue(name)
    for name in manifest.topics():
        cloud.smq.create_topic(name)
    code = for_this_interpreter() if path.resolve() == MANIFEST else None
    return cloud.deploy(path, environ, {name: [roles.get(name, ADMIN_POLICY)] for name in manifest.roles()}, code=code)

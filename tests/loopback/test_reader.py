"""An application reads what is in the loopback cloud, with the official cache client over TLS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.ram.service import Credentials
from tests.localcloud.server import ADMIN_POLICY, LocalCloud
from tests.loopback import clients

ROOT = Path(__file__).parents[2]
READER = ROOT / "tests" / "reader" / "read_secret.py"
# The cache client needs packages older than the deployed ones (tests/reader/requirements.in): an interpreter apart.
PYTHON = os.environ.get("READER_PYTHON", str(ROOT / ".venv-reader" / "bin" / "python"))
DATA = '{"UserName": "alice", "Password": "a b+&%ä$"}'


@pytest.fixture
def tls_cloud() -> Iterator[LocalCloud]:
    """Serve a cloud with TLS and one secret of two versions."""
    with LocalCloud(tls=True) as serving:
        clients.create_secret(clients.kms(serving), "team/alice", "old")
        clients.put(clients.kms(serving), "v2", DATA, "team/alice")
        serving.calls.clear()
        yield serving


def read(cloud: LocalCloud, who: Credentials, name: str) -> subprocess.CompletedProcess[str]:
    """Run the reader as a process of its own."""
    key = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": who.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": who.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": who.security_token or "",
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(  # noqa: S603 - our own script, in the interpreter named above
        [PYTHON, str(READER), cloud.tls_endpoint, name],
        env={**os.environ, **key},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("expires_in", [None, 3600.0], ids=["long-lived key", "temporary key"])
def test_the_official_cache_client_reads_the_current_version(tls_cloud: LocalCloud, expires_in: float | None) -> None:
    done = read(tls_cloud, tls_cloud.role("application", ADMIN_POLICY, expires_in=expires_in), "team/alice")
    assert (done.stdout, done.stderr, done.returncode) == (DATA + "\n", "", 0)
    assert tls_cloud.calls.matching("GetSecretValue", role="application")[0].params == {
        "SecretName": "team/alice",
        "VersionStage": "ACSCurrent",
        "FetchExtendedConfig": "True",
        "RegionId": "cn-hangzhou",
    }


def test_the_official_cache_client_with_a_wrong_secret_is_told_so(tls_cloud: LocalCloud) -> None:
    wrong = Credentials(tls_cloud.admin.access_key_id, "wrong", tls_cloud.admin.security_token)
    done = read(tls_cloud, wrong, "team/alice")
    assert done.returncode == 1
    assert "SignatureDoesNotMatch" in done.stderr

"""One loopback cloud on which everybody who is compared is deployed: the same runtime, context, credentials and calls.

The artefact is deployed by s.yaml, as it would be in reality. The others are functions of one file, which find their
packages where PYTHONPATH says. All of them speak to the same cloud, or, over TLS, to the same certificate.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import certifi

from tests.bench import folders, gauge, peers, probing
from tests.installation import ROTATOR, SCAN, Installation
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.deploy import spec
from tests.localcloud.fc.functions import FunctionSpec
from tests.localcloud.fc.instance import Instance
from tests.localcloud.server import ADMIN_POLICY, LocalCloud
from tests.loopback import clients

ARTEFACT = "artefact"
NAIVE = "naive"
SOURCE = "naive-source"
BOTO3 = "boto3"
NOTHING = "nothing"
BARE = "bare"
SCAN_FUNCTION = "scan"
USER = "alice"
PEERS_USER = "bob"
FIRST = "First-Pass-01!x"
APART = 200.0  # seconds of the cloud's time between two rotations of a user: the lease is over by then
CHUNK = 100  # users in an event that prepares something
ROLE = "peer"
# On Function Compute no function can write byte code beside its source; here root could, whatever a folder's mode is.
_READ_ONLY = {"PYTHONDONTWRITEBYTECODE": "1"}


class BenchError(Exception):
    """What was to be measured did not happen; the message says what happened instead."""


@dataclass(frozen=True)
class Sample:
    """What one invocation cost."""

    cpu: float
    wall: float
    peak: float  # MiB, of the instance so far


class Arena:
    """Everybody, deployed."""

    def __init__(self, cloud: LocalCloud, peer_endpoint: str, trust: Mapping[str, str]) -> None:
        self.cloud = cloud
        endpoint = f"https://{cloud.tls_endpoint}" if trust else f"http://{cloud.endpoint}"
        self.installed = Installation(cloud, CLOUDSSO_ENDPOINT=endpoint, KMS_ENDPOINT=endpoint)
        for user in (USER, PEERS_USER):
            self.installed.add_user(user, FIRST)
        clients.create_secret(clients.kms(cloud), self.installed.secret_name(PEERS_USER), "the first")
        ours = {spec(each).target: spec(each) for each in self.installed.manifest.functions}
        surroundings = {**self.installed.endpoints(), "CLOUDSSO_ENDPOINT": endpoint, "KMS_ENDPOINT": endpoint}
        self.cloud.fc.add_role(ROLE, ADMIN_POLICY)
        self.specs = {ARTEFACT: ours[ROTATOR], SCAN_FUNCTION: ours[SCAN]}
        self.specs |= {each.name: each for each in _peers({**surroundings, "PEER_ENDPOINT": peer_endpoint})}
        for name, each in self.specs.items():
            self.specs[name] = with_environment(each, {**trust, **_READ_ONLY})
            self.cloud.fc.deploy(self.specs[name])

    def names(self) -> list[str]:
        """Return who is compared at a cold start, in the order of a round."""
        return [name for name in (ARTEFACT, NAIVE, SOURCE, BOTO3, NOTHING) if name in self.specs]

    def cold(self, name: str) -> Sample:
        """Invoke a function whose instance has to be started first; then end the instance."""
        self.cloud.clock.shift(APART)
        sample = self.started(name, self.event(name))
        self.ended(name)
        return sample

    def started(self, name: str, event: object) -> Sample:
        """Invoke a function that has no instance yet, and leave it the one that is started."""
        return self._sample(self.specs[name].target, event, since=None)

    def ended(self, name: str) -> None:
        """End every instance of a function."""
        self._end(self.specs[name].target)

    def warm(self, name: str, event: object) -> Sample:
        """Invoke a function whose instance is there."""
        target = self.specs[name].target
        return self._sample(target, event, since=gauge.cpu_seconds(self.instance(target).pid))

    def modules(self, name: str) -> list[str]:
        """Return which modules an instance has imported once it has answered its first event."""
        found: list[str] = self._told(probing.standing_in_for(self.specs[name]), name)
        return found

    def phases(self, name: str) -> dict[str, float]:
        """Return the CPU seconds of each phase of a cold start."""
        ends: dict[str, float] = self._told(probing.phases_of(self.specs[name]), name)
        return {phase: end - start for (phase, end), start in zip(ends.items(), [0.0, *ends.values()], strict=False)}

    def rotated_before(self, users: Sequence[str]) -> None:
        """Add users whose password was rotated so long ago that it can be rotated again."""
        for user in users:
            self.installed.user_ids[user] = self.cloud.cloudsso.add_user(user)
        for first in range(0, len(users), CHUNK):
            some = users[first : first + CHUNK]
            self.answer(self.specs[ARTEFACT].target, {"Requests": [{"UserName": user} for user in some]})
        self.cloud.clock.shift(APART)

    def event(self, name: str) -> dict[str, object]:
        """Return the event by which somebody rotates one password."""
        if name == SCAN_FUNCTION:
            return {"DryRun": True}
        if name == ARTEFACT:
            return {"UserName": USER}
        secret, user_id = self.installed.secret_name(PEERS_USER), self.installed.user_ids[PEERS_USER]
        return {"UserName": PEERS_USER, "UserId": user_id, "SecretName": secret}

    def answer(self, target: Target, event: object) -> bytes:
        """Invoke a function that must succeed."""
        result = self.cloud.fc.invoke(target, json.dumps(event).encode())
        if result.error_type is not None:
            message = f"{target.function} failed, so nothing was measured: {result.payload.decode()}"
            raise BenchError(message)
        return result.payload

    def instance(self, target: Target) -> Instance:
        """Return the one instance of a function."""
        (instance,) = [each for each in self.cloud.fc.instances(target) if each.alive]
        return instance

    def _end(self, target: Target) -> None:
        for instance in self.cloud.fc.instances(target):
            instance.kill()
            while instance.alive:
                time.sleep(0.001)

    def _told(self, stand_in: FunctionSpec, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        self.cloud.clock.shift(APART)
        self.cloud.fc.deploy(stand_in)
        told = json.loads(self.answer(stand_in.target, self.event(name)))
        self._end(stand_in.target)
        return told

    def _sample(self, target: Target, event: object, *, since: float | None) -> Sample:
        began = time.perf_counter()
        self.answer(target, event)
        wall = time.perf_counter() - began
        reading = gauge.read(self.instance(target))
        return Sample(reading.cpu - (since or 0.0), wall, reading.peak)


@contextmanager
def arena(*, tls: bool = False) -> Iterator[Arena]:
    """Serve a cloud with everybody on it until the block ends."""
    with TemporaryDirectory() as folder, peers.serving(tls=tls) as peer, LocalCloud(tls=tls) as cloud:
        yield Arena(cloud, peer, _trust(cloud, peer, Path(folder)) if tls else {})


def with_environment(function: FunctionSpec, extra: Mapping[str, str]) -> FunctionSpec:
    """Return a function with more of an environment."""
    return replace(function, environment={**function.environment, **extra})


def _peers(environment: Mapping[str, str]) -> Iterator[FunctionSpec]:
    """Yield the functions of one file. Who has no packages here is not there."""
    compiled = folders.plain_install("naive", folders.SDKS, byte_code=True)
    source = folders.plain_install("naive-source", folders.SDKS, byte_code=False)
    yield peer(NAIVE, "naive", {**environment, "PYTHONPATH": str(compiled)})
    yield peer(SOURCE, "naive", {**environment, "PYTHONPATH": str(source)})
    yield peer(BARE, "bare", {**environment, "PYTHONPATH": str(compiled)})
    if folders.BOTO3.is_dir():
        yield peer(BOTO3, "peer_boto3", {**environment, "PYTHONPATH": str(folders.BOTO3)})
    yield peer(NOTHING, "nothing", {})


def peer(name: str, script: str, environment: Mapping[str, str]) -> FunctionSpec:
    """Return a function of one of the files beside this one."""
    code = folders.script(script)
    return FunctionSpec(name, code, f"{script}.handler", timeout=280, environment=environment, role=ROLE)


def _trust(cloud: LocalCloud, peer_endpoint: str, folder: Path) -> dict[str, str]:
    """Return the environment in which everybody trusts whom they call: the official clients read one, boto3 the other.

    Reading certificates is a part of what a cold start costs. SSL_CERT_FILE is read in addition to certifi's, so it has
    the cloud's alone; AWS_CA_BUNDLE instead of them, so it has them too.
    """
    theirs = peer_endpoint.rpartition("/")[2]
    return {
        "SSL_CERT_FILE": _bundle(cloud.tls_endpoint, folder),
        "AWS_CA_BUNDLE": _bundle(theirs, folder, certifi.contents()),
    }


def _bundle(endpoint: str, folder: Path, *others: str) -> str:
    host, _, port = endpoint.partition(":")
    bundle = folder / f"{port}.pem"
    bundle.write_text("\n".join([*others, ssl.get_server_certificate((host, int(port)))]), encoding="utf-8")
    return str(bundle)

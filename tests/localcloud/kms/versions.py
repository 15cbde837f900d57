"""The versions of one KMS secret and their stages: a value and its transitions, without time, names or HTTP.

Sources: the PutSecretValue and UpdateSecretVersionStage pages of KMS, and "Overview of generic secrets": a version "can
be written into a secret only once and cannot be modified"; "each stage label marks only one version".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from tests.localcloud.api import ApiError

CURRENT = "ACSCurrent"
PREVIOUS = "ACSPrevious"
MOST_VERSIONS = 10  # PutSecretValue page
MOST_STAGES = 8  # "Overview of generic secrets"; that the two built-in ones count is inferred


class Version(msgspec.Struct, frozen=True):
    """One write-once version."""

    version_id: str
    data: str
    data_type: str
    create_time: datetime
    stages: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show no data: a failing test must not print a password."""
        return f"Version({self.version_id!r}, stages={self.stages})"


class Versions(msgspec.Struct, frozen=True):
    """The versions of a secret in the order of creation, and the ids that a purge took."""

    kept: tuple[Version, ...] = ()
    purged: tuple[str, ...] = ()

    def find(self, version_id: str) -> Version | None:
        """Return the version with this id, if it is still kept."""
        return next((version for version in self.kept if version.version_id == version_id), None)

    def holder(self, stage: str) -> Version | None:
        """Return the version that carries a stage."""
        return next((version for version in self.kept if stage in version.stages), None)

    def get(self, version_id: str) -> Version:
        """Return the version with this id; the code for a missing one is inferred from the one for secrets."""
        return self.find(version_id) or _not_found("version")

    def staged(self, stage: str) -> Version:
        """Return the version that carries a stage; the code is inferred as for `get`."""
        return self.holder(stage) or _not_found("version stage")

    def append(self, version: Version) -> Versions:
        """Add a version, which carries no stage yet."""
        return msgspec.structs.replace(self, kept=(*self.kept, version))

    def place(self, stage: str, version_id: str) -> Versions:
        """Put a stage on one version, and so take it from any other."""
        if stage in self.get(version_id).stages:
            return self
        lifted = self.lift(stage)
        return _restaged(lifted, version_id, (*lifted.get(version_id).stages, stage))

    def lift(self, stage: str) -> Versions:
        """Take a stage away from whichever version carries it."""
        holder = self.holder(stage)
        if holder is None:
            return self
        return _restaged(self, holder.version_id, tuple(label for label in holder.stages if label != stage))

    def make_current(self, version_id: str, *, previous_follows: bool) -> Versions:
        """Move ACSCurrent, and ACSPrevious to where ACSCurrent was: documented for a put that names no stages."""
        old = self.holder(CURRENT)
        moved = self.place(CURRENT, version_id)
        if old is None or old.version_id == version_id or not previous_follows:
            return moved
        return moved.place(PREVIOUS, old.version_id)

    def place_all(self, stages: Iterable[str], version_id: str, *, previous_follows: bool) -> Versions:
        """Put several stages on one version; the built-in one moves first, so that a named ACSPrevious has its way."""
        ordered = sorted(stages, key=lambda stage: stage != CURRENT)
        versions = self
        for stage in ordered:
            versions = versions._moved(stage, version_id, previous_follows=previous_follows)
        return _within_stage_limit(versions)

    def purge(self, *, spare_staged: bool) -> Versions:
        """Let the earliest versions go until ten are left, never the newest.

        Two help pages disagree whether a stage label protects a version: `spare_staged` is the older page.
        """
        versions = self
        while len(versions.kept) > MOST_VERSIONS:
            versions = versions._without(versions._victim(spare_staged=spare_staged))
        return versions

    def _victim(self, *, spare_staged: bool) -> Version:
        older = self.kept[:-1]
        return next((version for version in older if not (spare_staged and version.stages)), older[0])

    def _without(self, victim: Version) -> Versions:
        kept = tuple(version for version in self.kept if version is not victim)
        return Versions(kept, (*self.purged, victim.version_id))

    def _moved(self, stage: str, version_id: str, *, previous_follows: bool) -> Versions:
        if stage == CURRENT:
            return self.make_current(version_id, previous_follows=previous_follows)
        return self.place(stage, version_id)


def _restaged(versions: Versions, version_id: str, stages: tuple[str, ...]) -> Versions:
    kept = tuple(
        msgspec.structs.replace(version, stages=stages) if version.version_id == version_id else version
        for version in versions.kept
    )
    return msgspec.structs.replace(versions, kept=kept)


def _within_stage_limit(versions: Versions) -> Versions:
    """Refuse a ninth stage; the limit is documented, its error code is a guess."""
    if sum(len(version.stages) for version in versions.kept) > MOST_STAGES:
        raise ApiError(400, "Rejected.LimitExceeded", f"A secret has at most {MOST_STAGES} version stages.")
    return versions


def _not_found(what: str) -> Version:
    raise ApiError(404, "Forbidden.ResourceNotFound", f"The {what} is not found.")

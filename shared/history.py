"""What the versions of one secret say about rotations: which were published, which are claimed, which comes next.

Version ids are `r<N>` (the password that rotation N published) and `r<N>-c<K>` (the K-th claim on rotation N). Every
other id is foreign (a person's, Terraform's): legal, and never mistaken for ours.

Pure: everything is derived from one answer of ListSecretVersionIds, so two workers that saw the same versions decide
alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from shared.model import CURRENT, Version, VersionId

KMS_KEEPS = 10  # versions of a generic secret; the oldest go (KMS: PutSecretValue)

_PUBLISHED = re.compile(r"r([1-9][0-9]*)")
_CLAIM = re.compile(r"r([1-9][0-9]*)-c([1-9][0-9]*)")


class Claim(msgspec.Struct, frozen=True):
    """The K-th attempt to be the one worker that carries out rotation N."""

    rotation: int
    attempt: int

    @property
    def id(self) -> VersionId:
        """Return the version id under which the claim is staked."""
        return VersionId(f"r{self.rotation}-c{self.attempt}")

    @property
    def publishes(self) -> VersionId:
        """Return the version id under which its password will be published."""
        return VersionId(f"r{self.rotation}")

    @property
    def previous(self) -> VersionId | None:
        """Return the claim on the same rotation before this one; None if this is the first."""
        return Claim(self.rotation, self.attempt - 1).id if self.attempt > 1 else None

    @property
    def note(self) -> str:
        """Return the tag under which a failure of this attempt is noted for operators."""
        return f"Attempt{self.attempt}"


class History:
    """One reading of a secret's versions; `versions` is None where there is no secret yet."""

    def __init__(self, versions: Iterable[Version] | None) -> None:
        self.exists = versions is not None
        self.versions = {version.id: version for version in versions or ()}
        self.published = {int(m[1]): v for v in self.versions.values() if (m := _PUBLISHED.fullmatch(v.id))}
        self.claims = {Claim(int(m[1]), int(m[2])): v for v in self.versions.values() if (m := _CLAIM.fullmatch(v.id))}

    def settled(self) -> VersionId | None:
        """Return the current version if it is known to hold the live password.

        It is if it is the newest that we published and no claim came after it: a later claim that never published may
        have reset the password and lost it, and a current version that is foreign, or an older one that somebody moved
        the stage back to, says nothing about what is live.
        """
        newest = max(self.published, default=0)
        claimed = max((claim.rotation for claim in self.claims), default=0)
        if newest == 0 or claimed > newest or CURRENT not in self.published[newest].stages:
            return None
        if claimed < newest and len(self.versions) < KMS_KEEPS:
            return None  # nothing was purged, so nobody claimed it: written by hand under a name like ours
        return self.published[newest].id

    def reset_after(self, version: VersionId, longest: timedelta) -> datetime:
        """Return an instant that is certainly before the reset whose password a published version holds.

        That is when its claim was created: the reset came after it, and the publication later still, so the version's
        own time would count a password as new that was set before somebody asked. Where the claim has been purged,
        `longest` bounds it: the longest time from sending a claim to its publication's taking effect.
        """
        claims = [v.created for claim, v in self.claims.items() if claim.publishes == version]
        return max(claims) if claims else self.versions[version].created - longest

    def newest_claim(self) -> datetime | None:
        """Return when the newest claim was created, of whatever rotation; None if there is none."""
        return max((version.created for version in self.claims.values()), default=None)

    def newest_published(self) -> Version | None:
        """Return the newest version that we published; None if there is none."""
        return self.published[max(self.published)] if self.published else None

    def open_claim(self) -> tuple[Claim, Version] | None:
        """Return the last claim on a rotation that has published nothing so far; None if every claim has."""
        rotation = max((claim.rotation for claim in self.claims), default=0)
        if rotation <= max(self.published, default=0):
            return None
        claim = max((claim for claim in self.claims if claim.rotation == rotation), key=lambda claim: claim.attempt)
        return claim, self.claims[claim]

    def next_claim(self) -> Claim:
        """Return the claim that comes next: the one id on which workers that saw the same versions must collide."""
        rotation = self._next_rotation()
        taken = max((claim.attempt for claim in self.claims if claim.rotation == rotation), default=0)
        return Claim(rotation, taken + 1)

    def holder_of(self, stage: str) -> VersionId | None:
        """Return the version that carries a stage, if any does."""
        return next((version.id for version in self.versions.values() if stage in version.stages), None)

    def _next_rotation(self) -> int:
        published = max(self.published, default=0)
        claimed = max((claim.rotation for claim in self.claims), default=0)
        if self._count_is_lost():
            return max(claimed + 1, self._unused_number())
        return max(published + 1, claimed)

    def _count_is_lost(self) -> bool:
        # Foreign versions can push everything that we published out of KMS. If purging spares versions with a stage, a
        # claim may outlive its publication; it is then the oldest of all, for what was purged was younger than it.
        if self.published or len(self.versions) < KMS_KEEPS:
            return False
        newest_claim = self.newest_claim()
        return newest_claim is None or newest_claim <= min(version.created for version in self.versions.values())

    def _unused_number(self) -> int:
        # Whether KMS would take a purged id again is not documented, so none is offered. Rotations of one secret are
        # more than a minute apart (LEASE): minutes since 1970 are ahead of any count, however often this happens.
        return int(max(version.created for version in self.versions.values()).timestamp() // 60)

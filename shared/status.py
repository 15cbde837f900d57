"""Where every password stands at one instant: what is known of it, how urgent that is, and what is not known.

What a listing of all secrets shows, their tags, is known of everybody; what the versions of a secret say, which is the
truth, only of those whose versions were looked at: KMS answers so many calls a second for the whole account, and
rotations need them more. Pure: everything is derived from what was read, and nothing is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum

import msgspec

from shared.errors import RotatorError
from shared.expiry import Schedule
from shared.history import History
from shared.model import (
    DirectoryId,
    Exemption,
    Managed,
    SecretName,
    User,
    Version,
    VersionId,
)
from shared.rotation import LEASE, LONGEST_EFFECT, PUBLISH_BY


class State(Enum):
    """Where a user's password stands; every user has exactly one state. The most urgent first."""

    EXPIRED = "expired"  # older than the directory lets passwords live, or not known to have been set: cannot log on
    STUCK = "stuck"  # a claim outlived its lease and published nothing: what the secret holds may not be live
    FOREIGN = "foreign"  # what readers of the secret get was not published by this program
    SECRET_IN_DELETION = "secret-in-deletion"  # noqa: S105 - not a password
    DUE = "due"  # the next scan hands it on
    UNMANAGED = "unmanaged"  # has no secret of this program's: nobody knows when it expires
    UNKNOWN = "unknown"  # what would say more could not be read
    IN_PROGRESS = "in-progress"  # a claim is younger than its lease
    FRESH = "fresh"  # rotated recently enough
    SYNCHRONIZED = "synchronized"
    PROTECTED = "protected"
    DISABLED = "disabled"

    @property
    def urgency(self) -> int:
        """Return its rank: the smaller the more urgent."""
        return _URGENCY[self]


_URGENCY = {state: rank for rank, state in enumerate(State)}
ALARMING = (State.EXPIRED, State.STUCK, State.FOREIGN, State.SECRET_IN_DELETION)
EXEMPT = {
    Exemption.PROTECTED: State.PROTECTED,
    Exemption.DISABLED: State.DISABLED,
    Exemption.SYNCHRONIZED: State.SYNCHRONIZED,
}


class OpenClaim(msgspec.Struct, frozen=True):
    """A claim that has published nothing so far."""

    id: VersionId
    attempt: int
    since: datetime  # by KMS's clock
    stuck: bool  # older than a claim is honoured: whoever made it is gone, or gave up


class LastOutcome(msgspec.Struct, frozen=True):
    """The last thing that is known to have become of a rotation of a user."""

    outcome: str  # "rotated", "claimed" (nothing more is known), or the reason of an error
    at: datetime | None
    version: VersionId | None


class Standing(msgspec.Struct, frozen=True):
    """Where one user's password stands."""

    user: User
    secret: SecretName
    state: State
    managed: Managed | None = None  # the secret, as a listing shows it; None: there is none of this program's
    selected: bool = False  # of an unmanaged user: ONBOARD selects it, so the next scan gives it a secret
    rotated_at: datetime | None = None  # the best that is known
    expires_at: datetime | None = None
    due_at: datetime | None = None
    versions: tuple[Version, ...] | None = None  # None: they were not looked at
    claim: OpenClaim | None = None
    last: LastOutcome | None = None
    unread: str = ""  # why its versions could not be read, if that was tried

    @property
    def order(self) -> tuple[int, str, str]:
        """Return where it stands among others, the urgent first."""
        when = self.expires_at or self.user.created
        return self.state.urgency, when.isoformat() if when else "", self.user.name.casefold()


class Gap(msgspec.Struct, frozen=True):
    """A part of the picture that could not be read."""

    part: str  # "password policy", "SSO logon", "users", "secrets", "versions"
    error: RotatorError


class Orphan(msgspec.Struct, frozen=True):
    """A secret of this program's that no user goes with by name."""

    managed: Managed
    now: User | None  # the user whom it was made for, who has another name by now; None: there is none
    strange: bool = False  # not named as secrets of this program's are: whoever may tag secrets may have said so


class Survey(msgspec.Struct, frozen=True):
    """All passwords of a directory at one instant; the urgent first."""

    as_of: datetime
    directory_id: DirectoryId
    schedule: Schedule | None  # None: the password policy could not be read, so nobody knows when passwords expire
    adjusted: tuple[str, ...]  # the settings that were too long for the policy, and were cut
    sso_enabled: bool | None  # None: not known
    standings: tuple[Standing, ...] | None  # None: the users could not be read
    orphans: tuple[Orphan, ...]  # secrets of this program's that belong to none of the users
    gaps: tuple[Gap, ...]
    looked_at: int  # how many secrets' versions were looked at

    @property
    def complete(self) -> bool:
        """Tell whether everything could be read."""
        return not self.gaps

    @property
    def secrets_known(self) -> bool:
        """Tell whether all secrets could be read; if not, nobody knows who has one."""
        return all(gap.part != "secrets" for gap in self.gaps)

    def counts(self) -> dict[State, int]:
        """Return how many users are in each state, in the order of urgency."""
        found = dict.fromkeys(State, 0)
        for one in self.standings or ():
            found[one.state] += 1
        return found

    @property
    def managed(self) -> int:
        """Return how many users have a secret of this program's."""
        return sum(one.managed is not None for one in self.standings or ())


class Selection(msgspec.Struct, frozen=True):
    """The part of a survey that was asked for: one page of those who match."""

    rows: tuple[Standing, ...]
    matching: int
    page: int  # from 1
    pages: int  # at least 1
    state: State | None = None  # only users in this state; None: in any
    search: str = ""  # only users whose name contains this, in any case


def select(
    standings: Sequence[Standing], *, state: State | None = None, search: str = "", page: int = 1, per_page: int
) -> Selection:
    """Return one page of those who match; the last one, if there are fewer pages than that."""
    wanted = search.casefold()
    matching = [
        one for one in standings if state in (None, one.state) and (not wanted or wanted in one.user.name.casefold())
    ]
    pages = max(-(-len(matching) // per_page), 1)
    page = min(page, pages)
    rows = tuple(matching[(page - 1) * per_page : page * per_page])
    return Selection(rows, len(matching), page, pages, state, search)


class Look(msgspec.Struct, frozen=True):
    """A look at the versions of one secret, or why there was none."""

    versions: tuple[Version, ...] | None
    unread: str = ""


class Judge(msgspec.Struct, frozen=True):
    """What the settings and the directory decide about where passwords stand."""

    as_of: datetime
    schedule: Schedule | None
    secret_name: Callable[[User], SecretName]
    exemption: Callable[[User], Exemption | None]
    onboards: Callable[[User], bool]
    secrets_known: bool
    seen_at: datetime | None = None  # when the last of what is judged was read; None: at `as_of`

    def standing(self, user: User, managed: Managed | None, look: Look | None = None) -> Standing:
        """Return where a user's password stands, from its secret's tags and, where they were read, its versions."""
        history = None if look is None or look.versions is None else History(look.versions)
        claim = _open_claim(history, self.as_of) if history else None
        rotated_at = self._rotated_at(user, managed, history)
        expires_at = due_at = None
        if self.schedule is not None and rotated_at is not None:
            expires_at = self.schedule.expires_at(rotated_at)
            due_at = self.schedule.due_at(rotated_at, user.directory_id, user.id)
        found = Standing(
            user=user,
            secret=self.secret_name(user),
            state=State.UNKNOWN,
            managed=managed,
            selected=managed is None and self.onboards(user),
            rotated_at=rotated_at,
            expires_at=expires_at,
            due_at=due_at,
            versions=None if look is None else look.versions,
            claim=claim,
            last=_last_outcome(managed, history, claim, rotated_at),
            unread="" if look is None else look.unread,
        )
        return msgspec.structs.replace(found, state=self._state(found, history))

    def _rotated_at(self, user: User, managed: Managed | None, history: History | None) -> datetime | None:
        told = managed.rotated_at if managed else None
        if history is not None:
            newest = history.newest_published()
            told = None if newest is None else history.reset_after(newest.id, PUBLISH_BY + LONGEST_EFFECT)
        if told is None or told > (self.seen_at or self.as_of) + LEASE:
            return None  # nothing was rotated at an instant to come
        # An earlier user of the same name was, if it was before this one's creation.
        return None if user.created is not None and told < user.created else told

    def _state(self, found: Standing, history: History | None) -> State:  # noqa: PLR0911 - one line a state, in order
        exemption = self.exemption(found.user)
        if exemption is not None:
            return EXEMPT[exemption]
        if found.managed is None:
            return State.UNMANAGED if self.secrets_known else State.UNKNOWN
        if found.managed.in_deletion:
            return State.SECRET_IN_DELETION
        if found.claim is not None and not found.claim.stuck:
            return State.IN_PROGRESS
        if found.expires_at is not None and found.expires_at <= self.as_of:
            return State.EXPIRED
        if found.claim is not None:
            return State.STUCK
        if history is not None and history.settled() is None:
            return State.FOREIGN
        if found.rotated_at is None:
            return State.EXPIRED
        if found.due_at is None:
            return State.UNKNOWN
        return State.DUE if found.due_at <= self.as_of else State.FRESH


def suspicion(one: Standing) -> tuple[int, str, str]:
    """Return how little is known for sure of a managed user: whose versions to look at first.

    A claim that nobody finished leaves no tag of its own where its worker was killed. But KMS moves a secret's
    UpdateTime when something is written to it (inferred; not documented): a secret that was written to after its last
    rotation was over is the first to look at, and so is one that was never rotated.
    """
    managed = one.managed
    rank = 3
    if managed is not None:
        told, updated = managed.rotated_at, managed.updated
        if told is None or (updated is not None and updated - told > LEASE):  # a tag may say the end of all times
            rank = 0
        elif one.state in ALARMING:
            rank = 1
        elif managed.notes:
            rank = 2
    return rank, one.expires_at.isoformat() if one.expires_at else "", one.user.name


def _open_claim(history: History, as_of: datetime) -> OpenClaim | None:
    found = history.open_claim()
    if found is None:
        return None
    claim, version = found
    stuck = version.created + LEASE <= as_of
    if stuck and history.next_claim().rotation != claim.rotation:
        return None  # foreign versions pushed out what came of it: rotations begin a new count, whatever it failed of
    return OpenClaim(version.id, claim.attempt, version.created, stuck=stuck)


def _last_outcome(
    managed: Managed | None, history: History | None, claim: OpenClaim | None, rotated_at: datetime | None
) -> LastOutcome | None:
    if claim is not None:
        reason = _noted(managed, claim.id) or "claimed"
        return LastOutcome(reason, claim.since, claim.id)
    newest = history.newest_published() if history else None
    if newest is not None and rotated_at is not None:  # an earlier user's rotation is none of this one's
        return LastOutcome("rotated", newest.created, newest.id)
    return None if rotated_at is None else LastOutcome("rotated", rotated_at, None)


def _noted(managed: Managed | None, claim: VersionId) -> str | None:
    """Return the reason that a claim failed of, as its worker noted it in a tag (rotation.py)."""
    notes = managed.notes if managed else ()
    return next((note.partition(":")[2] for note in notes if note.partition(":")[0] == claim), None)

"""What is wrong with a directory's passwords, and the exact commands that mend it: pure, from a survey."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec.structs import replace

from shared import commands
from shared.commands import Commands
from shared.errors import (
    DirectoryDenied,
    DirectoryError,
    DirectoryRefused,
    OutOfTime,
    SecretRefused,
    SecretStoreDenied,
    SettingsError,
    quoted,
)
from shared.expiry import LONGEST_LEAD, LONGEST_SPREAD, Schedule
from shared.history import History
from shared.model import CURRENT, User, UserId, UserName
from shared.rotation import CLAIMS, FORCED_CLAIMS, LEASE
from shared.status import EXEMPT, Gap, OpenClaim, Orphan, Standing, State, Survey

MOST_NAMED = 50  # findings of one kind that name a user each; the others are counted
SOON = timedelta(days=2)  # in which a daily scan is sure to have been
LONG_ENOUGH = 90  # days that passwords may live: CloudSSO's default, to which the defaults of the settings fit


class Problem(Enum):
    """What can be wrong; docs/operations.md has a paragraph for each. What explains the most others comes first."""

    PERMISSION_MISSING = "permission-missing"
    WRONG_REGION = "wrong-region"
    ENDPOINT_UNREACHABLE = "endpoint-unreachable"
    SSO_ENABLED = "sso-enabled"
    OVERDUE = "overdue"
    EXPIRED = "expired"
    STUCK_CLAIM = "stuck-claim"
    FAILED_ATTEMPTS = "failed-attempts"
    VERSION_FOREIGN = "version-foreign"
    SECRET_IN_DELETION = "secret-in-deletion"  # noqa: S105 - not a password
    USER_RENAMED = "user-renamed"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - not a password
    TAG_STALE = "tag-stale"
    POLICY_SHORT = "policy-short"
    USER_DELETED = "user-deleted"
    UNMANAGED = "unmanaged"

    @property
    def advice(self) -> bool:
        """Tell whether nobody is locked out by it: neither now, nor if it stays so for a while."""
        return self in (Problem.TAG_STALE, Problem.POLICY_SHORT, Problem.USER_DELETED, Problem.UNMANAGED)


class Finding(msgspec.Struct, frozen=True):
    """One problem: what it is, since when, what it means for people, and how to mend it."""

    problem: Problem
    what: str  # what is so, and what it means
    mend: tuple[str, ...]  # command lines, in order, as they are to be typed
    user: UserName | None = None  # None: it is about the whole directory, or about more users than are named
    since: datetime | None = None

    @property
    def more(self) -> str:
        """Return where the runbook says more."""
        return f"docs/operations.md#{self.problem.value}"


class Unchecked(msgspec.Struct, frozen=True):
    """What the doctor cannot see with its own role, and the command that shows it."""

    what: str
    how: str


class Doctor(msgspec.Struct, frozen=True):
    """Finds out what is wrong, and says how to mend it."""

    commands: Commands

    def findings(self, survey: Survey, user: str | None = None) -> tuple[Finding, ...]:
        """Return everything that is wrong, what explains the most others first; of each kind, the urgent first.

        `user`: of what is about users, only what is about the one of this name, in any case.
        """
        standings = [one for one in survey.standings or () if _is(one.user, user)]
        exempt = {one.user.id for one in standings if one.state in EXEMPT.values()}
        found = [
            *map(self._gap, survey.gaps),
            *self._directory(survey, standings),
            *(finding for one in standings for finding in self._user(one, survey)),
            *(self._orphan(orphan, exempt) for orphan in survey.orphans if _is(orphan.now, user)),
        ]
        if survey.sso_enabled:
            found = list(map(_postponed, found))
        rank = {problem: number for number, problem in enumerate(Problem)}
        return tuple(_shortened(sorted(found, key=lambda each: rank[each.problem])))

    # the whole directory

    def _gap(self, gap: Gap) -> Finding:
        where = f"CLOUDSSO_REGION is {self.commands.cloudsso_region}, KMS_REGION is {self.commands.kms_region}."
        what = f"The {gap.part} could not be read. {gap.error.happened}"
        if isinstance(gap.error, DirectoryDenied | SecretStoreDenied):
            why = f"The role of rotation_status lacks a permission, or has it for another region or directory. {where}"
            return Finding(Problem.PERMISSION_MISSING, f"{what} {why}", (*commands.UPDATE_ROLES, commands.DOCTOR))
        if isinstance(gap.error, SettingsError | DirectoryRefused | SecretRefused):
            # No command sets them: one with gaps in it would be typed as it stands, and stop every function.
            how = "Put into .env what the first command lists, and where the secrets are; take it in, then deploy."
            return Finding(
                Problem.WRONG_REGION, f"{what} {where} {how}", (self.commands.directories(), commands.DEPLOY)
            )
        if isinstance(gap.error, OutOfTime):
            why = f"What answers slowly, or has many users, needs more time. {gap.error.cure}"
            return Finding(Problem.ENDPOINT_UNREACHABLE, f"{what} {why}", (commands.DEPLOY, commands.DOCTOR))
        try_it = self.commands.password_policy() if isinstance(gap.error, DirectoryError) else self.commands.secrets()
        why = "If the command answers from elsewhere, the function's network or its endpoint setting is wrong."
        return Finding(Problem.ENDPOINT_UNREACHABLE, f"{what} {where} {why}", (try_it, commands.DOCTOR))

    def _directory(self, survey: Survey, standings: Iterable[Standing]) -> Iterator[Finding]:
        if survey.sso_enabled:
            what = (
                "SSO logon is enabled: CloudSSO resets no password, so nobody is rotated, and everybody logs on at the "
                "identity provider. If that is not meant, disable it."
            )
            yield Finding(Problem.SSO_ENABLED, what, (self.commands.disable_sso(),))
        if survey.adjusted and survey.schedule:
            yield self._policy_short(survey.schedule, survey.adjusted)
        late = [one.due_at for one in standings if one.state is State.DUE and one.due_at]
        if (late := [due_at for due_at in late if due_at + SOON <= survey.as_of]) and not survey.sso_enabled:
            yield _overdue(late)
        left = [one for one in standings if _has_no_secret(one) and not one.selected]
        if left:
            yield self._unmanaged(left, any_managed=survey.managed > 0)

    def _policy_short(self, schedule: Schedule, adjusted: tuple[str, ...]) -> Finding:
        days = schedule.max_age // timedelta(days=1)
        lead, spread = schedule.lead / timedelta(days=1), schedule.spread / timedelta(days=1)
        what = (
            f"Passwords live {days} day{'s' * (days != 1)} here, too few for {' and '.join(adjusted)}: users are "
            f"rotated {lead:g} days before the end instead, and up to {spread:g} before that."
        )
        longer = self.commands.max_password_age(LONG_ENOUGH)
        fitting = {name: limit for name, limit in _longest(days).items() if name in adjusted}
        if fitting.get("ROTATE_BEFORE_EXPIRY_DAYS") == 0:
            return Finding(Problem.POLICY_SHORT, f"{what} No settings fit: lengthen the policy.", (longer,))
        export = f"export {' '.join(f'{name}={limit}' for name, limit in fitting.items())}"
        either = "Shorten the settings, as the first two commands do, or lengthen the policy, as the last one does."
        return Finding(Problem.POLICY_SHORT, f"{what} {either}", (export, commands.DEPLOY, longer))

    def _unmanaged(self, left: list[Standing], *, any_managed: bool) -> Finding:
        names = ", ".join(quoted(one.user.name) for one in left[:MOST_NAMED])
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        hint = "" if any_managed else f" If there should be secrets, KMS_REGION ({self.commands.kms_region}) is wrong."
        what = (
            f"{len(left)} {'user has' if len(left) == 1 else 'users have'} no secret of this program's: nobody sees "
            f"{'this password' if len(left) == 1 else 'their passwords'} expire: {names}{more}. If that is meant, "
            "there is nothing to do; otherwise roll out by tags, by day: a first rotation makes the password that "
            f"somebody knows useless. The command only says whom the next scan would rotate.{hint}"
        )
        return Finding(Problem.UNMANAGED, what, (commands.WHO_IS_NEXT,))

    # users

    def _user(self, one: Standing, survey: Survey) -> Iterator[Finding]:
        if one.state is State.EXPIRED and not survey.sso_enabled:  # while it is enabled, passwords are of no use
            yield self._expired(one)
        if one.state in (State.EXPIRED, State.STUCK) and one.claim:
            yield self._stuck(one, one.claim)  # of an expired password too: after six attempts, rotating takes force
        elif one.state is State.FOREIGN and one.versions is not None:
            yield self._foreign(one, History(one.versions))
        elif one.state is State.SECRET_IN_DELETION:
            yield self._in_deletion(one)
        elif one.selected and _has_no_secret(one) and _is_older(one.user, survey.as_of - SOON):
            yield self._secret_missing(one)
        if one.state not in EXEMPT.values() and _is_misled(one):
            yield self._tag_stale(one)

    def _expired(self, one: Standing) -> Finding:
        name = one.user.name
        mend = self._stuck(one, one.claim).mend if one.claim else (commands.rotate(name),)
        if one.rotated_at is None and one.managed and one.managed.user_id not in (None, one.user.id):
            what = f"User {quoted(name)} was deleted and created anew: the secret holds the earlier user's password."
            return Finding(Problem.EXPIRED, what, mend, name, one.user.created)
        if one.expires_at is None:
            what = (
                f"User {quoted(name)} has a secret, but no rotation of it is known: the password may have expired, and "
                "the secret may not hold it."
            )
        else:
            what = f"The password of user {quoted(name)} has expired: until it is rotated, the user cannot log on."
        return Finding(Problem.EXPIRED, what, mend, name, one.expires_at)

    def _stuck(self, one: Standing, claim: OpenClaim) -> Finding:
        name, problem = one.user.name, Problem.FAILED_ATTEMPTS if claim.attempt >= CLAIMS else Problem.STUCK_CLAIM
        known = one.last is not None and one.last.outcome != "claimed"
        why = (
            f"It ended with {one.last.outcome}; the log says of what."
            if known and one.last
            else "Its worker did not say why; killed, perhaps."
        )
        look = (commands.WHY_FAILED,) if known else ()
        doubt = f"what secret {quoted(one.secret)} has as current may not be the live password. {why}"
        if problem is Problem.STUCK_CLAIM:
            what = f"A rotation of user {quoted(name)} began with claim {claim.id} and did not end: {doubt}"
            return Finding(problem, what, (*look, commands.rotate(name)), name, claim.since)
        what = (
            f"{claim.attempt} attempts to rotate user {quoted(name)} have failed in a row, the last one with claim "
            f"{claim.id}, and no more are made: {doubt} Mend the cause first, and see that it is mended: rotate "
            "somebody else. Few attempts are left."
        )
        if claim.attempt < FORCED_CLAIMS:
            return Finding(problem, what, (*look, commands.rotate(name, Force=True)), name, claim.since)
        mend = (*look, self.commands.delete_now(one.secret), commands.rotate(name))
        again = "The secret takes no more claims: read what you may still need from it, then have it made anew."
        return Finding(problem, f"{what} {again}", mend, name, claim.since)

    def _foreign(self, one: Standing, history: History) -> Finding:
        current, newest = history.holder_of(CURRENT), history.newest_published()
        ours = current in {version.id for version in history.published.values()} and newest and current != newest.id
        whose = "is not the newest that this program published" if ours else "was not written by this program"
        get = f"get version {quoted(current)}, which {whose}" if current else "get nothing: no version is current"
        what = (
            f"Readers of secret {quoted(one.secret)} {get}. It need not be the live password of user "
            f"{quoted(one.user.name)}. Find out who wrote it or moved the stage; then rotate."
        )
        since = history.versions[current].created if current else None
        return Finding(Problem.VERSION_FOREIGN, what, (commands.rotate(one.user.name),), one.user.name, since)

    def _in_deletion(self, one: Standing) -> Finding:
        gone_at = one.managed.gone_at if one.managed else None
        until = "" if gone_at is None else f" It can be had back until {_instant(gone_at)}."
        what = (
            f"Secret {quoted(one.secret)} is scheduled for deletion: it cannot be read, and user "
            f"{quoted(one.user.name)} cannot be rotated.{until} The password in it stays what it is."
        )
        return Finding(Problem.SECRET_IN_DELETION, what, (self.commands.restore(one.secret),), one.user.name)

    def _secret_missing(self, one: Standing) -> Finding:
        name = one.user.name
        what = (
            f"User {quoted(name)} is to be rotated, as ONBOARD says, and has no secret of this program's, though scans "
            "should have had one made by now. See the dead letters; the command makes it, with a new password."
        )
        return Finding(Problem.SECRET_MISSING, what, (commands.rotate(name),), name)

    def _tag_stale(self, one: Standing) -> Finding:
        tag, truth = one.managed.rotated_at if one.managed else None, _instant(one.rotated_at)
        said = "do not say when it was rotated" if tag is None else f"say that it was rotated at {_instant(tag)}"
        what = (
            f"The tags of secret {quoted(one.secret)} mislead scans: they {said}, and its versions say {truth}. The "
            "command renews the tags, and rotates nothing."
        )
        renew = commands.rotate(one.user.name, Reason="expiring", RotatedSince=truth)
        return Finding(Problem.TAG_STALE, what, (renew,), one.user.name, one.rotated_at)

    # secrets without a user

    def _orphan(self, orphan: Orphan, exempt: Container[UserId]) -> Finding:
        secret = orphan.managed.secret
        if orphan.strange:  # whoever tags a secret of somebody else's must not have it deleted by this
            what = (
                f"Secret {quoted(secret)} is tagged as this program's, and not named as SECRET_NAME_TEMPLATE says: it "
                "was made under another one, or the tags are wrong. Find out whose it is; untag it, or delete it."
            )
            return Finding(Problem.USER_DELETED, what, ())
        if orphan.managed.user_id is None:
            what = (
                f"Secret {quoted(secret)} is named after no user, and no tag says whose it is; delete it if nobody's."
            )
            return Finding(Problem.USER_DELETED, what, ())
        if orphan.managed.in_deletion:
            what = f"Secret {quoted(secret)}, which no user has any more, is being deleted: there is nothing to do."
            return Finding(Problem.USER_DELETED, what, ())
        if orphan.now is None:
            what = f"Secret {quoted(secret)} belongs to a user who is not in the directory any more."
            return Finding(Problem.USER_DELETED, what, (self.commands.delete(secret),))
        name = orphan.now.name
        if orphan.now.id in exempt:  # rotating makes no new secret, so readers would lose the only one
            what = (
                f"User {quoted(name)} had another name when secret {quoted(secret)} was made, and is left alone now: "
                "nobody rotates the password. Find out who reads it; then delete it."
            )
            return Finding(Problem.USER_RENAMED, what, (), name)
        what = (
            f"User {quoted(name)} had another name when secret {quoted(secret)} was made, which is not rotated any "
            "more. Rotate under the new name, have readers read the new secret, then delete the old one."
        )
        return Finding(Problem.USER_RENAMED, what, (commands.rotate(name), self.commands.delete(secret)), name)


def not_checked(survey: Survey) -> tuple[Unchecked, ...]:
    """Return what has to be looked at besides: this function sees users and secrets, with its own role."""
    rotated = [one for one in survey.standings or () if one.state in (State.FRESH, State.DUE) and one.rotated_at]
    oldest = min(rotated, key=lambda one: (one.rotated_at, one.user.id), default=None)
    try_it = commands.rotate(oldest.user.name if oldest else UserName("alice"), DryRun=True)
    return (
        Unchecked("Whether reset_password may do its work: its answer must be would-rotate.", try_it),
        Unchecked(
            "What waits in the queues: it must be none (docs/operations.md#your-shell has the command).",
            commands.WAITING,
        ),
    )


def _postponed(found: Finding) -> Finding:
    """Return a finding as it is while nobody can be rotated: what would be deleted would not be made anew."""
    if found.problem not in (Problem.FAILED_ATTEMPTS, Problem.USER_RENAMED):
        return found
    what = f"{found.what} While SSO logon is enabled no rotation succeeds: settle that first, and ask again."
    return replace(found, what=what, mend=())


def _has_no_secret(one: Standing) -> bool:
    """Tell whether a user is unmanaged; one whose secret is in order, but for its tags, is misled about instead."""
    return one.state is State.UNMANAGED and not _is_misled(one)


def _overdue(due: list[datetime]) -> Finding:
    many = len(due) != 1
    what = (
        f"{len(due)} {'users have' if many else 'user has'} been due for more than {SOON.days} days: no scan has run, "
        "its dispatches or their rotations fail, or SCAN_LIMIT is too low. They can log on until they expire."
    )
    return Finding(Problem.OVERDUE, what, (commands.SCAN, commands.DOCTOR), since=min(due))


def _is_older(one: User, moment: datetime) -> bool:
    return one.created is None or one.created <= moment


def _is(one: User | None, name: str | None) -> bool:
    """Tell whether a user is the one of this name; None: any."""
    return name is None or (one is not None and one.name.casefold() == name.casefold())


def _longest(days: int) -> dict[str, int]:
    """Return the most whole days that a setting may have where passwords live so long (expiry.py)."""
    return {"ROTATE_BEFORE_EXPIRY_DAYS": int(days * LONGEST_LEAD), "SPREAD_DAYS": int(days * LONGEST_SPREAD)}


def _is_misled(one: Standing) -> bool:
    """Tell whether scans go by a tag that differs from what the versions say, by more than a rotation takes.

    While a claim is open, or the current version is not the newest of ours, the versions do not say what is live, and
    what renews the tags would rotate.
    """
    if one.versions is None or one.rotated_at is None or History(one.versions).settled() is None:
        return False
    tag = one.managed.rotated_at if one.managed else None
    return tag is None or abs(tag - one.rotated_at) > LEASE


def _shortened(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first of each kind, and one that counts the others."""
    seen = dict[Problem, int]()
    for each in findings:
        seen[each.problem] = seen.get(each.problem, 0) + 1
        if seen[each.problem] <= MOST_NAMED:
            yield each
    for problem, count in seen.items():
        if count > MOST_NAMED:
            what = f"{count - MOST_NAMED} more of the kind {problem.value}; the table of all users has them."
            yield Finding(problem, what, (commands.EVERYBODY,))


def _instant(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")

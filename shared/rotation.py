"""The rotation protocol: why no password can be lost.

An event never says "reset now"; it says **this user's password must have been rotated since T**. So redelivered,
duplicated, reordered and batched events collapse into the rotations that are really needed, and whatever goes
wrong, "deliver it again" is the cure.

    look      list the secret's versions, having read the clock before
    claim     write version r<N>-c<K>: KMS accepts one writer per version id, so one worker holds the claim
    reset     one ResetUserPassword, sent within RESET_BY of the claim
    publish   write version r<N>, sent within PUBLISH_BY of the claim; KMS makes it ACSCurrent
    index     tag the secret: a hint for scans, never the truth

**No two rotations of a user ever interleave.** A claim is honoured for LEASE after KMS created it. Everything its
worker does is sent within PUBLISH_BY of it and takes effect within LONGEST_EFFECT of being sent: of a claim sent at
0 s, all has happened by 50 + 30 = 80 s, and the next one is not sent before 100 - 5 - 5 - 1 = 89 s, however wrong the
clocks are. Workers that see the same versions go for the same claim id, and KMS lets one have it.

**A lost answer is never repaired by guessing.** A reset whose answer was lost may have happened or may yet happen. Its
claim is spent, and a later claim, after the lease, resets again: what is published is always the last password set.
A lost answer to a write is repaired by sending the same bytes again: KMS takes them once, and refuses a stranger's.

**Success is said only when it is known**: our own publication was acknowledged; or the current version is the newest
we published, no claim came after it, and its reset came after T.

docs/protocol.md has the assumptions, the derivations and the tests of each sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from shared.errors import (
    NotPublished,
    OutOfTime,
    ResetOutcomeUnknown,
    RotationInProgress,
    RotatorError,
    SecretExists,
    SecretRefused,
    SecretStoreError,
    SecretStoreUnavailable,
    TooManyAttempts,
    VersionConflict,
    quoted,
)
from shared.history import Claim, History
from shared.model import (
    AlreadyRotated,
    Exempt,
    Exemption,
    NewPassword,
    Outcome,
    Password,
    PasswordSource,
    Reason,
    RequestId,
    ResetReceipt,
    ResetRequest,
    Rotated,
    SecretName,
    SecretValue,
    User,
    VersionId,
    WouldRotate,
)
from shared.ports import Clock, Directory, SecretStore

RESET_BY = timedelta(seconds=20)  # a claim is sent this long after its list at the latest, a reset after its claim
PUBLISH_BY = timedelta(seconds=50)  # a publication is sent this long after its claim at the latest
LONGEST_EFFECT = timedelta(seconds=30)  # assumed: from deciding to send a request to its last effect
CLOCK_SKEW = timedelta(seconds=5)  # of this machine's and of KMS's clock, each against true time
KMS_TICK = timedelta(seconds=1)  # CreateTime shows whole seconds, rounded down
# At least PUBLISH_BY + LONGEST_EFFECT + 2 * CLOCK_SKEW + KMS_TICK = 91 s, with a margin; a test holds it.
LEASE = timedelta(seconds=100)

# KMS keeps ten versions. Six claims (eight by force) and what they publish leave the last published one in place.
CLAIMS = 6
FORCED_CLAIMS = 8

ROTATING = "Rotating"  # the stage of the newest claim; any stage would do that leaves ACSCurrent alone
FIRST_PAUSE = timedelta(seconds=0.25)  # before a write is sent again, or a rotation looked at again; doubles
LONGEST_PAUSE = timedelta(seconds=10)

Answer = TypeVar("Answer")


class Policy(msgspec.Struct, frozen=True):
    """What the settings decide, and not the protocol."""

    secret_name: Callable[[User], SecretName]
    exemption: Callable[[User], Exemption | None]
    source: Callable[[ResetRequest], PasswordSource]
    must_change: Callable[[ResetRequest], bool]


class Rotator(msgspec.Struct, frozen=True):
    """The protocol, bound to the world through its ports."""

    directory: Directory
    store: SecretStore
    clock: Clock
    policy: Policy
    new_password: NewPassword
    new_owner: Callable[[], str]  # unique at each call: what makes one claim's bytes differ from another's

    def ensure_rotated(self, request: ResetRequest, *, give_up_at: datetime) -> Outcome:
        """Return once the user's password is known to have been reset after `request.since` and to be ACSCurrent.

        `give_up_at` is when the invocation will be cut off; nothing is begun that could not be finished by then.
        Raises any DirectoryError, SecretStoreError or RotationError. Whatever it raises, calling it again is safe.
        """
        if self.clock.now() + PUBLISH_BY > give_up_at:
            raise _out_of_time(request)
        user = self.directory.find(request.user)
        exemption = self.policy.exemption(user)
        if exemption is not None:
            return Exempt(user, exemption)
        rotation = _Rotation(self, request, user, give_up_at)
        try:
            return rotation.run()
        except RotatorError as error:
            told = rotation.tell(error)
        raise told


class _Rotation:
    """One run of the protocol for one user."""

    def __init__(self, rotator: Rotator, request: ResetRequest, user: User, give_up_at: datetime) -> None:
        self.directory, self.store, self.clock = rotator.directory, rotator.store, rotator.clock
        self.new_password, self.new_owner = rotator.new_password, rotator.new_owner
        self.request = request
        self.user = user
        self.secret = rotator.policy.secret_name(user)
        self.staged = rotator.policy.source(request) is PasswordSource.STAGED
        self.must_change = rotator.policy.must_change(request)
        self.give_up_at = give_up_at
        self.failure: RotatorError | None = None  # the gravest thing that a claim of this run failed of
        self.open_claim: VersionId | None = None  # of an earlier run, which may have reset the password
        self.distrusted: VersionId | None = None  # what somebody else wrote under the claim of this run
        self.refused: tuple[Claim, str] | None = None  # the claim that KMS refused last, and what it said
        self.way_made: Claim | None = None  # the claim for which everything known was taken out of the way

    def run(self) -> Outcome:
        pause = FIRST_PAUSE
        while True:
            # Read before the list: a worker that sleeps in between then takes claims for younger than they are.
            looked_at = self.clock.now()
            history = History(self.store.versions(self.secret))
            done = self._already_rotated(history)
            if done is not None:
                self._heal(done)
                return done
            lease = self._lease_left(history, looked_at)
            if lease:
                self._wait(min(pause, lease), lease)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            claim = history.next_claim()
            if self.failure is None:
                self.open_claim = claim.previous
            self._check_may_claim(claim)
            if self.request.dry_run:
                self.directory.check_resettable(self.user)
                return WouldRotate(self.user, self.secret, claim.publishes, claim.attempt)
            self._make_way(claim, history)
            rotated = self._attempt(claim, history, looked_at)
            if rotated is not None:
                return rotated

    # look

    def _already_rotated(self, history: History) -> AlreadyRotated | None:
        version = history.settled()  # no claim came after it, so nobody has reset the password since
        if version is None or version == self.distrusted:
            return None
        rotated_at = history.reset_after(version, PUBLISH_BY + LONGEST_EFFECT)
        # A user that was deleted and created again has the same name, hence the same secret, and another password.
        since = max(self.request.since, self.user.created or self.request.since)
        return AlreadyRotated(self.user, self.secret, version, rotated_at) if rotated_at >= since else None

    def _lease_left(self, history: History, looked_at: datetime) -> timedelta:
        # The newest claim's, published or not: a reset of its that is still on its way may land after the publication.
        claimed_at = history.newest_claim()
        return timedelta() if claimed_at is None else max(claimed_at + LEASE - looked_at, timedelta())

    def _wait(self, pause: timedelta, lease: timedelta) -> None:
        if self.request.dry_run or self.clock.now() + pause + PUBLISH_BY > self.give_up_at:
            raise self._in_progress(lease)
        self.clock.sleep(pause.total_seconds())

    # claim

    def _check_may_claim(self, claim: Claim) -> None:
        if claim.attempt > (FORCED_CLAIMS if self.request.force else CLAIMS):
            raise self._too_many_attempts(claim)
        if self.clock.now() + PUBLISH_BY > self.give_up_at:
            raise _out_of_time(self.request)

    def _attempt(self, claim: Claim, history: History, looked_at: datetime) -> Rotated | None:
        """Carry one claim through. None: it was lost or is spent, and the versions must be looked at again."""
        candidate = self.new_password(self.user.name) if self.staged else None
        claimed_at = self._claim(claim, candidate, history, send_by=looked_at + RESET_BY)
        if claimed_at is None:
            return None
        try:
            receipt = self._reset(candidate, send_by=claimed_at + RESET_BY)
            return self._publish(claim, receipt, send_by=claimed_at + PUBLISH_BY)
        except RotatorError as error:
            self._tag({claim.note: f"{claim.id}:{error.reason}"})
            if not error.retryable:
                raise
            self.failure = max(error, self.failure or error, key=_gravity)
            return None  # spent: a later claim, after this one's lease, resets again

    def _claim(self, claim: Claim, candidate: Password | None, history: History, send_by: datetime) -> datetime | None:
        """Stake the claim. Return when it was first sent; None if it was not sent, or if somebody else has it."""
        value = self._claim_value(candidate)
        claimed_at = self.clock.now()
        if claimed_at > send_by:
            return None  # the list is stale
        try:
            self._send_until_answered(lambda: self._send_claim(claim, value, history, send_by), send_by)
        except VersionConflict as error:
            self.refused = claim, error.happened  # somebody else won, most likely: a new look tells
            return None
        return claimed_at

    def _send_claim(self, claim: Claim, value: SecretValue, history: History, send_by: datetime) -> None:
        if not history.exists and self._created(claim, value, send_by):
            return
        if self.clock.now() > send_by:
            message = f"The claim on user {quoted(self.user.name)} could not be sent in time."
            raise VersionConflict(message)  # as if lost: look again
        self.store.put(self.secret, claim.id, value, stage=ROTATING, send_by=send_by)

    def _created(self, claim: Claim, value: SecretValue, send_by: datetime) -> bool:
        try:
            self.store.create(self.secret, claim.id, value, self.user, send_by=send_by)
        except SecretExists:
            return False  # since the list: by somebody else, or by this very claim, its answer lost. A put tells.
        return True

    def _make_way(self, claim: Claim, history: History) -> None:
        """Help a claim that was refused, and that a new look shows next in line all the same: nobody has won it.

        Whether a custom stage may be taken from the version that carries it is not documented, so it is taken off. If
        that was not the cause, give up; but only after a look, which may show that there is a winner by now.
        """
        if self.refused is None or self.refused[0] != claim:
            return
        if self.way_made == claim:
            raise SecretRefused(self.refused[1])
        self.refused, self.way_made = None, claim
        holder = history.holder_of(ROTATING)
        if holder is not None:
            with suppress(VersionConflict):  # not there any more, which is what was wanted
                self.store.release(self.secret, ROTATING, holder)

    # reset

    def _reset(self, candidate: Password | None, send_by: datetime) -> ResetReceipt:
        if self.clock.now() > send_by:
            message = f"The claim on user {quoted(self.user.name)} took too long to be acknowledged."
            raise OutOfTime(message, unchanged="The password was not reset; the claim is spent.")
        try:
            return self._send_reset(candidate, send_by)
        except ResetOutcomeUnknown as unknown:
            if candidate is None:  # a second reset's password could be overwritten by the first one's, landing late
                raise
            lost = unknown
        return self._send_reset_again(candidate, lost, send_by)

    def _send_reset_again(self, candidate: Password, lost: ResetOutcomeUnknown, send_by: datetime) -> ResetReceipt:
        """Send the same candidate until CloudSSO answers: whichever request lands last, it sets the same password."""
        pause = FIRST_PAUSE
        while self._time_left_after(pause, send_by):
            pause *= 2
            try:
                return self._send_reset(candidate, send_by)
            except ResetOutcomeUnknown:
                continue
            except RotatorError:
                break  # "not this password" may mean "it is the live one already": no proof of which one is
        raise lost

    def _send_reset(self, candidate: Password | None, send_by: datetime) -> ResetReceipt:
        return self.directory.reset(self.user, candidate, must_change=self.must_change, send_by=send_by)

    # publish

    def _publish(self, claim: Claim, receipt: ResetReceipt, send_by: datetime) -> Rotated:
        acknowledged_at = self.clock.now()
        request_id = self._send_publication(claim, self._published_value(receipt.password), send_by)
        mismatch = self.clock.now() - acknowledged_at
        return Rotated(
            user=self.user,
            secret=self.secret,
            version=claim.publishes,
            attempt=claim.attempt,
            reset_request_id=receipt.request_id,
            publish_request_id=request_id,
            mismatch=mismatch,
            indexed=self._index(self.clock.now()),
        )

    def _send_publication(self, claim: Claim, value: SecretValue, send_by: datetime) -> RequestId:
        put = self.store.put
        why = "the claim's time was over"
        if self.clock.now() > send_by:
            raise self._not_published(why)
        try:
            return self._send_until_answered(
                lambda: put(self.secret, claim.publishes, value, stage=None, send_by=send_by), send_by
            )
        except SecretStoreError as error:
            why = error.reason
            written_by_another = isinstance(error, VersionConflict)
        if written_by_another:
            self._cast_doubt(claim, send_by)
        raise self._not_published(why)

    def _cast_doubt(self, claim: Claim, send_by: datetime) -> None:
        """Leave an open claim behind, so that nobody takes what another wrote under our claim for the live password."""
        self.distrusted = claim.publishes  # whether or not the doubt is left behind, this run knows better
        doubt, value, put = Claim(claim.rotation + 1, 1), self._claim_value(None), self.store.put
        with suppress(SecretStoreError):
            if claim.publishes not in History(self.store.versions(self.secret)).versions:
                return  # refused for another cause; a doubt would begin a new count of claims at each such failure
        with suppress(SecretStoreError):  # where KMS does not move a custom stage, our own claim is in the way
            self.store.release(self.secret, ROTATING, claim.id)
        with suppress(SecretStoreError):
            self._send_until_answered(
                lambda: put(self.secret, doubt.id, value, stage=ROTATING, send_by=send_by), send_by
            )

    def _index(self, rotated_at: datetime) -> bool:
        return self._tag(
            {
                "ManagedBy": "cloudsso-rotator",
                "DirectoryId": self.user.directory_id,
                "UserId": self.user.id,
                "RotatedAt": rotated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def _heal(self, done: AlreadyRotated) -> None:
        """Renew the tag where a scan asked for nothing: it believed a stale one, and would come again every night."""
        if self.request.reason is Reason.EXPIRING and not self.request.dry_run:
            self._index(done.rotated_at)

    # what the steps share

    def _send_until_answered(self, send: Callable[[], Answer], send_by: datetime) -> Answer:
        """Send a write, and the same again while its outcome is unknown: KMS takes the same bytes once."""
        pause = FIRST_PAUSE
        while True:
            try:
                return send()
            except SecretStoreUnavailable:
                if not self._time_left_after(pause, send_by):
                    raise
            pause *= 2

    def _time_left_after(self, pause: timedelta, send_by: datetime) -> bool:
        if self.clock.now() + pause > send_by:
            return False
        self.clock.sleep(pause.total_seconds())
        return self.clock.now() <= send_by  # asked again: a sleep may last longer than it was meant to

    def _tag(self, tags: dict[str, str]) -> bool:
        try:
            self.store.tag(self.secret, tags)
        except SecretStoreError:
            return False  # a hint for scans and operators: nothing here depends on it
        return True

    # what the versions hold

    def _claim_value(self, candidate: Password | None) -> SecretValue:
        claim = {**self._identity(), "Owner": self.new_owner()}
        if candidate is not None:
            claim["Candidate"] = candidate.reveal()  # not "Password": no reader shall take it for the live one
        return SecretValue(json.dumps({"Claim": claim}))

    def _published_value(self, password: Password) -> SecretValue:
        value: dict[str, object] = {**self._identity(), "Password": password.reveal()}
        if self.must_change:
            value["RequirePasswordResetForNextLogin"] = True  # to readers: of no use once the user has logged on
        return SecretValue(json.dumps(value))

    def _identity(self) -> dict[str, str]:
        return {"UserName": self.user.name, "DirectoryId": self.user.directory_id, "UserId": self.user.id}

    # what went wrong

    def tell(self, error: RotatorError) -> RotatorError:
        """Return what to raise for what ended this run: claims before may have left more behind than the last step."""
        left = self.failure
        if left is not None and not error.retryable:
            return error.retold(f"Earlier: {left.happened} {left.unchanged}")
        told = error if left is None else max(left, error, key=_gravity)
        if self.open_claim is None or _gravity(told) or isinstance(told, TooManyAttempts):
            return told
        doubt = f"This run reset nothing, but claim {self.open_claim} before it may have: the secret may be stale."
        return told.retold(doubt)

    def _in_progress(self, lease: timedelta) -> RotationInProgress:
        seconds = int(lease.total_seconds()) + 1
        message = f"Another rotation of user {quoted(self.user.name)} may be under way for {seconds} s more."
        return RotationInProgress(message, retry_after=lease)

    def _not_published(self, why: str) -> NotPublished:
        message = (
            f"The password of user {quoted(self.user.name)} was reset, but KMS did not confirm its version ({why})."
        )
        return NotPublished(message)

    def _too_many_attempts(self, claim: Claim) -> TooManyAttempts:
        try:
            tags = self.store.tags(self.secret)
        except SecretStoreError:
            tags = {}
        failures = sorted(note for note in tags.values() if note.startswith(f"{claim.publishes}-c"))
        happened = (
            f"Rotation {claim.publishes} of user {quoted(self.user.name)} has failed {claim.attempt - 1} times: "
            f"{', '.join(failures) or 'why was not noted, see the audit lines'}."
        )
        again = 'send the request once more with "Force": true, which allows two more claims.'
        anew = (
            f"read what you may still need from secret {quoted(self.secret)}, delete it without a recovery window, "
            "and redeliver: it will be made anew."
        )
        return TooManyAttempts(happened, cure=f"Mend the cause, then {anew if self.request.force else again}")


def _gravity(error: RotatorError) -> int:
    """Rank what a claim can fail of by what it leaves behind: a password surely lost, one perhaps lost, nothing."""
    return (type(error) is ResetOutcomeUnknown) + 2 * (type(error) is NotPublished)


def _out_of_time(request: ResetRequest) -> OutOfTime:
    return OutOfTime(f"Too little of this invocation is left to rotate the password of user {quoted(request.user)}.")

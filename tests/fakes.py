"""The ports in memory. tests/contract holds them to the same contracts as the adapters over the wire."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from shared.errors import (
    DirectoryUnavailable,
    DispatchError,
    DispatchUnavailable,
    PasswordRejected,
    ResetNotAllowed,
    ResetOutcomeUnknown,
    SecretExists,
    SecretNotFound,
    SecretStoreUnavailable,
    UserNotFound,
    VersionConflict,
)
from shared.instants import rfc3339
from shared.model import (
    CURRENT,
    DirectoryId,
    Exemption,
    Managed,
    Password,
    PasswordSource,
    Reason,
    RequestId,
    ResetReceipt,
    ResetRequest,
    SecretName,
    SecretValue,
    TaskId,
    User,
    UserId,
    UserName,
    UserRef,
    Version,
    VersionId,
)
from shared.rotation import Policy, Rotator
from tests.localcloud.switches import Switches

PREVIOUS = "ACSPrevious"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
DIRECTORY = DirectoryId("d-fake")
PAGE = 100


def user(name: str, *, enabled: bool = True, synchronized: bool = False) -> User:
    return User(DIRECTORY, UserId(f"u-{name}"), UserName(name), enabled=enabled, synchronized=synchronized)


class FakeClock:
    """Time that passes only when told to, or when slept."""

    def __init__(self, start: datetime = NOON) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Faults:
    """What shall go wrong at the n-th call (from 1) of a port's method: an error not applied, or applied and lost."""

    refuse: dict[tuple[str, int], BaseException] = field(default_factory=dict)
    lose: set[tuple[str, int]] = field(default_factory=set)
    then: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def before(self, name: str) -> tuple[str, int]:
        self.calls[name] += 1
        call = (name, self.calls[name])
        if call in self.refuse:
            raise self.refuse[call]
        return call

    def after(self, call: tuple[str, int], lost: Exception) -> None:
        if call in self.then:
            self.then[call]()
        if call in self.lose:
            raise lost


@dataclass
class Stored:
    """One version, with what no listing shows."""

    id: VersionId
    value: SecretValue
    created: datetime
    stages: set[str]


class FakeStore:
    """KMS Secrets Manager as the SecretStore port sees it, under any reading of what is not documented."""

    def __init__(
        self, now: Callable[[], datetime], faults: Faults | None = None, switches: Switches | None = None
    ) -> None:
        self._now = now
        self.faults = faults or Faults()
        self.switches = switches or Switches()
        self.secrets: dict[SecretName, list[Stored]] = {}
        self.tagged: dict[SecretName, dict[str, str]] = {}
        self.purged: set[tuple[SecretName, VersionId]] = set()
        self.leaving: set[SecretName] = set()  # what waits for its deletion
        self._ids = itertools.count(1)

    def versions(self, secret: SecretName) -> tuple[Version, ...] | None:
        call = self.faults.before("versions")
        stored = self.secrets.get(secret)
        answer = None if stored is None else tuple(Version(v.id, v.created, frozenset(v.stages)) for v in stored)
        self.faults.after(call, SecretStoreUnavailable("lost"))
        return answer

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        call = self.faults.before("create")
        if secret in self.secrets:
            raise SecretExists("there already")
        self.secrets[secret] = [Stored(version, value, self._tick(), {CURRENT})]
        self.tagged[secret] = {
            "ManagedBy": "cloudsso-rotator",
            "DirectoryId": user.directory_id,
            "UserId": user.id,
        }
        self.faults.after(call, SecretStoreUnavailable("lost"))

    def put(
        self, secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        call = self.faults.before("put")
        self._put(secret, version, value, stage)
        self.faults.after(call, SecretStoreUnavailable("lost"))
        return RequestId(f"kms-{next(self._ids)}")

    def release(self, secret: SecretName, stage: str, version: VersionId) -> None:
        call = self.faults.before("release")
        holder = next((v for v in self._stored(secret) if v.id == version and stage in v.stages), None)
        if holder is None:
            raise VersionConflict("not there")
        holder.stages.discard(stage)
        self.faults.after(call, SecretStoreUnavailable("lost"))

    def tag(self, secret: SecretName, tags: Mapping[str, str]) -> None:
        call = self.faults.before("tag")
        self._stored(secret)
        self.tagged[secret].update(tags)
        self.faults.after(call, SecretStoreUnavailable("lost"))

    def tags(self, secret: SecretName) -> Mapping[str, str]:
        self.faults.before("tags")
        self._stored(secret)
        return dict(self.tagged[secret])

    def managed(self, directory_id: DirectoryId) -> Iterator[tuple[Managed, ...]]:
        names = list(self.secrets)
        for start in range(0, len(names) or 1, PAGE):
            call = self.faults.before("managed")  # the n-th page
            page = (self._managed(name, directory_id) for name in names[start : start + PAGE])
            yield tuple(filter(None, page))
            self.faults.after(call, SecretStoreUnavailable("lost"))

    # for tests

    def keep(self, secret: SecretName, directory_id: DirectoryId, rotated_at: datetime | None) -> None:
        """Be the rotator, or half of it: keep a secret that was rotated then."""
        self.write(secret, f"r{len(self.secrets.get(secret, [])) + 1}")
        self.tagged[secret] = {"ManagedBy": "cloudsso-rotator", "DirectoryId": directory_id}
        if rotated_at is not None:
            self.tagged[secret]["RotatedAt"] = rotated_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def at(self, secret: SecretName, stage: str) -> Stored | None:
        return next((v for v in self.secrets.get(secret, []) if stage in v.stages), None)

    def write(self, secret: SecretName, version: str, value: str = "{}") -> None:
        """Be somebody else: publish a version by hand."""
        if secret not in self.secrets:
            self.secrets[secret] = []
            self.tagged[secret] = {}
        self._put(secret, VersionId(version), SecretValue(value), None)

    def _managed(self, secret: SecretName, directory_id: DirectoryId) -> Managed | None:
        tags = self.tagged[secret]
        if (tags.get("ManagedBy"), tags.get("DirectoryId")) != ("cloudsso-rotator", directory_id):
            return None
        return Managed(
            secret,
            rfc3339(tags.get("RotatedAt")),
            in_deletion=secret in self.leaving,
            user_id=UserId(tags["UserId"]) if "UserId" in tags else None,
            updated=max((version.created for version in self.secrets[secret]), default=None),
            notes=tuple(tags[key] for key in sorted(tags) if key.startswith("Attempt")),
        )

    def _put(self, secret: SecretName, version: VersionId, value: SecretValue, stage: str | None) -> None:
        stored = self._stored(secret)
        same = next((v for v in stored if v.id == version), None)
        if same is not None:
            if same.value != value:
                raise VersionConflict("other data")
            if self.switches.repeated_put_moves_stages:
                self._move(stored, same, stage)
            return
        self._check_new(secret, version, stage)
        new = Stored(version, value, self._tick(), set())
        stored.append(new)
        self._move(stored, new, stage)
        self._purge(secret, new)

    def _check_new(self, secret: SecretName, version: VersionId, stage: str | None) -> None:
        if (secret, version) in self.purged and not self.switches.purged_id_returns:
            raise VersionConflict("purged")
        if stage is not None and not self.switches.stage_can_be_taken and self.at(secret, stage) is not None:
            raise VersionConflict("stage taken")

    def _move(self, stored: list[Stored], to: Stored, stage: str | None) -> None:
        if stage is None:
            self._take(stored, PREVIOUS, next((v for v in stored if CURRENT in v.stages), None))
        self._take(stored, stage or CURRENT, to)

    def _take(self, stored: list[Stored], stage: str, to: Stored | None) -> None:
        if to is None:
            return
        for version in stored:
            version.stages.discard(stage)
        to.stages.add(stage)

    def _purge(self, secret: SecretName, new: Stored) -> None:
        stored = self.secrets[secret]
        while len(stored) > 10:
            spared = self.switches.purge == "earliest-without-stage"
            going = next((v for v in stored if v is not new and not (spared and v.stages)), None)
            if going is None:
                return
            stored.remove(going)
            self.purged.add((secret, going.id))

    def _stored(self, secret: SecretName) -> list[Stored]:
        if secret not in self.secrets:
            raise SecretNotFound("no such secret")
        return self.secrets[secret]

    def _tick(self) -> datetime:
        return self._now().replace(microsecond=0)


@dataclass(frozen=True)
class Set:
    """A password that became live."""

    password: Password
    at: datetime
    must_change: bool


class FakeDirectory:
    """A CloudSSO directory: passwords are set, never read; tests look at `live`."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *users: User,
        faults: Faults | None = None,
        switches: Switches | None = None,
    ) -> None:
        self._now = now
        self.known = list(users)
        self.faults = faults or Faults()
        self.switches = switches or Switches()
        self.sets: dict[UserId, list[Set]] = {}
        self.sso = False  # whether SSO logon is enabled
        self.max_age = timedelta(days=90)
        self.reject: Callable[[Password], bool] = lambda _candidate: False
        self.generate: Callable[[User], Password] = self._generate
        self._ids = itertools.count(1)

    def find(self, ref: UserRef) -> User:
        call = self.faults.before("find")
        found = [u for u in self.known if ref.id == u.id or (ref.name or "").casefold() == u.name.casefold()]
        if not found:
            raise UserNotFound("no such user")
        self.faults.after(call, DirectoryUnavailable("lost"))
        return found[0]

    def reset(self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime) -> ResetReceipt:
        call = self.faults.before("reset")
        self._check(user, candidate)
        password = candidate or self.generate(user)
        self.sets.setdefault(user.id, []).append(Set(password, self._now(), must_change))
        self.faults.after(call, ResetOutcomeUnknown("lost"))
        return ResetReceipt(password, RequestId(f"sso-{next(self._ids)}"))

    def check_resettable(self, user: User) -> None:
        call = self.faults.before("check_resettable")
        if self.sso:
            raise ResetNotAllowed("SSO logon is enabled")
        self.faults.after(call, DirectoryUnavailable("lost"))

    def sso_enabled(self) -> bool:
        call = self.faults.before("sso_enabled")
        self.faults.after(call, DirectoryUnavailable("lost"))
        return self.sso

    def max_password_age(self) -> timedelta:
        call = self.faults.before("max_password_age")
        self.faults.after(call, DirectoryUnavailable("lost"))
        return self.max_age

    def users(self) -> Iterator[tuple[User, ...]]:
        for start in range(0, len(self.known) or 1, PAGE):
            call = self.faults.before("users")  # the n-th page
            yield tuple(self.known[start : start + PAGE])
            self.faults.after(call, DirectoryUnavailable("lost"))

    # for tests

    def live(self, user: User) -> Set | None:
        return self.sets[user.id][-1] if self.sets.get(user.id) else None

    def _generate(self, user: User) -> Password:
        return Password(f"Generated-{len(self.sets.get(user.id, [])) + 1}-for-{user.name}!")

    def _check(self, user: User, candidate: Password | None) -> None:
        if user.id not in {known.id for known in self.known}:
            raise UserNotFound("no such user")
        if self.sso:
            raise ResetNotAllowed("SSO logon is enabled")
        live = self.live(user)
        if candidate is None:
            return
        again = live is not None and live.password == candidate and not self.switches.current_password_settable
        if again or self.reject(candidate):
            raise PasswordRejected("policy")


class FakeDispatcher:
    """Function Compute, as far as it takes on rotations: `accepted` has each task once, in order."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.accepted: dict[TaskId, ResetRequest] = {}
        self.refuse: Callable[[ResetRequest], DispatchError | None] = lambda _request: None
        self._lock = threading.Lock()

    def dispatch(self, request: ResetRequest, task_id: TaskId) -> bool:
        with self._lock:
            call = self.faults.before("dispatch")
            if error := self.refuse(request):
                raise error
            accepted = task_id not in self.accepted
            self.accepted.setdefault(task_id, request)
            self.faults.after(call, DispatchUnavailable("lost"))
            return accepted


class Setup:
    """A rotator over fakes, and everything a test wants to look at."""

    def __init__(
        self,
        *users: User,
        staged: bool = False,
        switches: Switches | None = None,
        exemption: Callable[[User], Exemption | None] = lambda _user: None,
        must_change: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.faults = Faults()
        self.alice = users[0] if users else user("alice")
        self.directory = FakeDirectory(self.clock.now, *(users or (self.alice,)), faults=self.faults, switches=switches)
        self.store = FakeStore(self.clock.now, self.faults, switches)
        self._numbers = itertools.count(1)
        source = PasswordSource.STAGED if staged else PasswordSource.CLOUDSSO
        self.rotator = Rotator(
            directory=self.directory,
            store=self.store,
            clock=self.clock,
            policy=Policy(self.secret_of, exemption, lambda request: request.source or source, lambda _r: must_change),
            new_password=lambda name: Password(f"Candidate-{next(self._numbers)}-for-{name}!"),
            new_owner=lambda: f"owner-{next(self._numbers)}",
        )

    @property
    def secret(self) -> SecretName:
        return self.secret_of(self.alice)

    @property
    def tags(self) -> dict[str, str]:
        return self.store.tagged[self.secret]

    def secret_of(self, user: User) -> SecretName:
        return SecretName(f"cloudsso/{user.name}")

    def minutes(self, minutes: float) -> datetime:
        """Return an instant so many minutes from now (negative: ago)."""
        return self.clock.now() + timedelta(minutes=minutes)

    def request(self, **changes: object) -> ResetRequest:

        since = self.minutes(-1)
        asked = ResetRequest(UserRef(name=self.alice.name), since, Reason.MANUAL)
        return replace(asked, **changes)

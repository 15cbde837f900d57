"""What KMS remembers: secrets, by name and in order, written through to the store; and what ListSecrets may ask."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from tests.localcloud.api import ApiError, Clock, Store
from tests.localcloud.kms.versions import Versions
from tests.localcloud.parameters import refusal
from tests.localcloud.switches import Switches

MOST_TAGGED = 4000  # ListSecrets: a tag filter returns at most 4,000 secrets
GENERIC = "Generic"


class Secret(msgspec.Struct, frozen=True):
    """A secret as DescribeSecret shows it, and its versions."""

    number: int  # the order of creation, and of listing
    name: str
    create_time: datetime
    update_time: datetime
    secret_type: str = GENERIC
    description: str = ""
    key_id: str = ""
    instance_id: str = ""
    planned_delete_time: datetime | None = None
    tags: dict[str, str] = {}
    versions: Versions = Versions()


@dataclass(frozen=True)
class Question:
    """What ListSecrets was asked: the values of one key are alternatives, the keys must all be met (inferred)."""

    filters: tuple[tuple[str, tuple[str, ...]], ...]
    exact_names: bool

    def wants(self, secret: Secret) -> bool:
        """Tell whether a secret belongs to the answer."""
        return all(self._meets(secret, key, values) for key, values in self.filters)

    @property
    def about_tags(self) -> bool:
        """Whether a tag is asked for."""
        return any(key in ("TagKey", "TagValue") for key, _ in self.filters)

    def _meets(self, secret: Secret, key: str, values: tuple[str, ...]) -> bool:
        if key == "SecretName":
            return secret.name in values if self.exact_names else secret.name.startswith(values)
        if key == "Description":
            return secret.description.startswith(values)
        if key == "SecretType":
            return secret.secret_type.casefold() in {value.casefold() for value in values}
        return not set(values).isdisjoint(_attributes(secret, key))


def _attributes(secret: Secret, key: str) -> set[str]:
    """Return what a secret has under a filter key; no secret here was created by a product, so Creator finds none."""
    found: dict[str, Iterable[str]] = {
        "TagKey": secret.tags.keys(),
        "TagValue": secret.tags.values(),
        "DKMSInstanceId": [secret.instance_id],
    }
    return set(found.get(key, []))


class Shelf:
    """The secrets of one account and region."""

    def __init__(self, clock: Clock, switches: Callable[[], Switches], store: Store) -> None:
        self.clock = clock
        self.switches = switches
        self._store = store
        self._secrets: dict[str, Secret] = {}
        self._order: list[tuple[int, str]] = []
        self._leaving: set[str] = set()
        self._last: tuple[Question | None, list[str]] = (None, [])
        for _, data in store.load("kms.secret"):
            self._remember(msgspec.msgpack.decode(data, type=Secret))

    def __len__(self) -> int:
        return len(self._secrets)

    def find(self, name: str) -> Secret | None:
        """Return a secret by its name."""
        return self._secrets.get(name)

    def get(self, name: str) -> Secret:
        """Return a secret, or refuse with the documented code."""
        if name not in self._secrets:
            raise ApiError(404, "Forbidden.ResourceNotFound", "The secret is not found.")
        return self._secrets[name]

    def usable(self, name: str) -> Secret:
        """Return a secret that is not waiting for its deletion; the code for one that is waiting is a switch."""
        secret = self.get(name)
        if secret.planned_delete_time is not None:
            raise refusal(self.switches().secret_in_deletion, "The secret is planned to be deleted.")
        return secret

    def next_number(self) -> int:
        """Return the number of the next secret."""
        return self._order[-1][0] + 1 if self._order else 0

    def keep(self, secret: Secret) -> None:
        """Add or replace a secret."""
        self._store.save("kms.secret", secret.name, msgspec.msgpack.encode(secret))
        self._remember(secret)

    def remove(self, name: str) -> None:
        """Forget a secret; its name is free again."""
        self._store.remove("kms.secret", name)
        secret = self._secrets.pop(name)
        del self._order[bisect_left(self._order, (secret.number, name))]
        self._leaving.discard(name)
        self._last = (None, [])

    def sweep(self) -> None:
        """Remove what has reached the end of its recovery window."""
        now = self.clock.now()
        for name in sorted(self._leaving):
            planned = self._secrets[name].planned_delete_time
            if planned is not None and planned <= now:
                self.remove(name)

    def matching(self, question: Question, start: int, stop: int) -> tuple[Sequence[Secret], int]:
        """Return one page of the answer, and how many there are in all.

        A listing asks the same question once per page, so the last answer is kept until it may change.
        """
        if not question.filters:
            return [self._secrets[name] for _, name in self._order[start:stop]], len(self._order)
        if self._last[0] != question:
            found = [name for _, name in self._order if question.wants(self._secrets[name])]
            self._last = (question, found[:MOST_TAGGED] if question.about_tags else found)
        names = self._last[1]
        return [self._secrets[name] for name in names[start:stop]], len(names)

    def in_order(self) -> list[Secret]:
        """Return every secret, the oldest first."""
        return [self._secrets[name] for _, name in self._order]

    def _remember(self, secret: Secret) -> None:
        old = self._secrets.get(secret.name)
        if old is None:
            self._order.append((secret.number, secret.name))
        if old is None or (old.description, old.tags) != (secret.description, secret.tags):
            self._last = (None, [])
        self._secrets[secret.name] = secret
        (self._leaving.add if secret.planned_delete_time else self._leaving.discard)(secret.name)

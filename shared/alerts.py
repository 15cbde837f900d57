"""Alert rules: which foreign event is about which user, written in JMESPath (functions/reset_password/rules.json).

    {"Rules": [
      {"Name": "leak", "When": "type == 'acme:Leak'", "UserName": "data.who", "Since": "data.at", "Reason": "alert"},
      {"Name": "ping", "When": "type == 'acme:Ping'", "Ignore": true, "Why": "a heartbeat is about nobody"}
    ]}

The first rule whose `When` is true decides. Rules see the whole event: the CloudEvent, or the document that came
without one. A `When` that cannot be applied to a document (`starts_with` of a number) does not recognise it, so that
one careless rule cannot keep events from the rules after it; if in the end no rule does, the error names those that
stumbled. A user or a time that a rule cannot make out is an error too: the sender and the rule disagree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from shared import documents, expressions, request
from shared.documents import NotJson, kind
from shared.errors import SettingsError, quoted
from shared.expressions import Expression, Stumble
from shared.instants import moment
from shared.model import Reason, UserRef

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")  # the audit line shows it


class _Written(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, frozen=True):
    """A rule as the file writes it."""

    name: str
    when: str
    user_name: str | None = None
    user_id: str | None = None
    since: str | None = None
    reason: Reason | None = None
    ignore: bool = False
    why: str | None = None
    note: str | None = None  # for the reader of the file


class _File(msgspec.Struct, rename="pascal", forbid_unknown_fields=True, frozen=True):
    rules: list[Any]
    note: str | None = None


_T = TypeVar("_T")


class Alert(msgspec.Struct, frozen=True):
    """A rule recognised the document and found the user."""

    rule: str
    reason: Reason
    user: UserRef
    since: datetime | None  # None: the event's own time


class Unclear(msgspec.Struct, frozen=True):
    """A rule recognised the document, but could not make out the user or the time."""

    rule: str
    reason: Reason
    why: str


class Noise(msgspec.Struct, frozen=True):
    """A rule recognised the document as one to ignore."""

    rule: str


Match = Alert | Unclear | Noise


class Rule:
    """One rule, compiled."""

    def __init__(self, written: _Written) -> None:
        self.name = written.name
        self._ignore = written.ignore
        self._reason = written.reason or Reason.ALERT
        self._when = Expression(written.when)
        self._user_field = "UserName" if written.user_name else "UserId"
        self._user = Expression(written.user_name or written.user_id or "@")
        self._since = Expression(written.since) if written.since else None

    def recognises(self, document: object) -> bool:
        """Tell whether `When` is true of the document; raise `Stumble` if that cannot be told."""
        return expressions.is_true(self._when.on(document))

    def apply(self, document: object) -> Match:
        """Return what the rule makes of a document that it recognises."""
        if self._ignore:
            return Noise(self.name)
        user, since = self._find_user(document), self._find_since(document)
        if isinstance(user, str) or isinstance(since, str):
            return Unclear(self.name, self._reason, user if isinstance(user, str) else str(since))
        return Alert(self.name, self._reason, user, since)

    def _find_user(self, document: object) -> UserRef | str:
        try:
            found = self._user.on(document)
        except Stumble:
            return f"its {self._user_field} expression cannot be applied"
        name = request.user_name(found) if self._user_field == "UserName" else None
        user_id = request.user_id(found) if self._user_field == "UserId" else None
        if name or user_id:
            return UserRef(name=name, id=user_id)
        expected = request.FIELDS[self._user_field].expects
        return f"its {self._user_field} expression yields {_shown(found)} instead of {expected}"

    def _find_since(self, document: object) -> datetime | str | None:
        try:
            found = self._since.on(document) if self._since else None
        except Stumble:
            return "its Since expression cannot be applied"
        since = moment(found)
        if found is None or since is not None:
            return since
        return f"its Since expression yields {_shown(found)} instead of a time"


class Rules:
    """The rules in their order; the first that recognises a document decides."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._rules = rules

    @classmethod
    def load(cls, data: bytes) -> Rules:
        """Return the rules of a file, or raise one SettingsError that lists everything wrong with it."""
        file = _typed(documents.read(data), _File)
        entries = [] if isinstance(file, str) else [(raw, _typed(raw, _Written)) for raw in file.rules]
        problems = [f"the file: {file}"] if isinstance(file, str) else [*_problems(entries)]
        if problems:
            message = f"The alert rules do not make sense: {'; '.join(problems)}."
            raise SettingsError(message, cure="Correct functions/reset_password/rules.json and deploy again.")
        return cls(tuple(Rule(entry) for _, entry in entries if isinstance(entry, _Written)))

    def match(self, document: object) -> Match | None:
        """Return what the first rule that recognises the document makes of it."""
        rule = next((rule for rule in self._rules if _verdict(rule, document)), None)
        return rule.apply(document) if rule else None

    def stumbling(self, document: object) -> tuple[str, ...]:
        """Return the names of the rules whose `When` cannot be applied to the document."""
        return tuple(rule.name for rule in self._rules if _verdict(rule, document) is None)


def _verdict(rule: Rule, document: object) -> bool | None:
    try:
        return rule.recognises(document)
    except Stumble:
        return None


def _shown(found: object) -> str:
    return "other text" if isinstance(found, str) else kind(found)


def _typed(raw: object, shape: type[_T]) -> _T | str:
    if isinstance(raw, NotJson):
        return f"not JSON: {raw.why}"
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        return quoted(error)


def _problems(entries: list[tuple[Any, _Written | str]]) -> Iterator[str]:
    for index, (raw, entry) in enumerate(entries):
        name = raw.get("Name") if isinstance(raw, dict) else None
        label = f"Rules[{index}]" if name is None else f"Rules[{index}] {quoted(name)}"
        wrong = [entry] if isinstance(entry, str) else _misfits(entry)
        yield from (f"{label}: {problem}" for problem in wrong)
    names = Counter(entry.name for _, entry in entries if isinstance(entry, _Written))
    yield from (f"the name {quoted(name)} is used {count} times" for name, count in names.items() if count > 1)


def _misfits(rule: _Written) -> Iterator[str]:
    if not _NAME.fullmatch(rule.name):
        yield "Name must be 1 to 64 letters, digits, '.', '_', ':' or '-'"
    if [rule.user_name is not None, rule.user_id is not None, rule.ignore].count(True) != 1:
        yield "a rule has exactly one of UserName, UserId and Ignore"
    if rule.ignore and not rule.why:
        yield "Ignore needs a Why"
    if rule.ignore and (rule.since is not None or rule.reason):
        yield "Ignore goes with neither Since nor Reason"
    for field in ("when", "user_name", "user_id", "since"):
        text = getattr(rule, field)
        found = () if text is None else expressions.problems(text)
        yield from (f"{field.title().replace('_', '')}: {problem}" for problem in found)

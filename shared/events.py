"""From the bytes of any trigger to requests, or to errors that name what is wrong and where.

    read      bytes are JSON, or are not                                              documents.py
    open      a trigger's envelope is recognised by its documented keys and opened    envelopes.py, reading.py
    refuse    a part that carries a password is read no further                       disclosure.py
    tell      what is left is a request, an alert that a rule recognises, or neither  request.py, alerts.py
    merge     requests about one user become one                                      here

events/README.md shows one event for every trigger, and what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared import documents
from shared.alerts import Rules
from shared.envelopes import HTTP, Context
from shared.errors import EventError
from shared.model import DirectoryId, PasswordSource, Reason, ResetRequest
from shared.reading import Ignored, Reader, at_most

__all__ = ["Ignored", "Parsed", "merge", "parse"]

MOST_IN_EVENT = 10_000  # things that one event may ask for: EventBridge's largest batch

_URGENCY = {reason: rank for rank, reason in enumerate(Reason)}


class Parsed(msgspec.Struct, frozen=True):
    """Everything that an event asks for, each kind in the order of the event's parts."""

    requests: tuple[ResetRequest, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    problems: tuple[EventError, ...] = ()
    http: bool = False  # an HTTP trigger's event: the answer must have its shape


def parse(event: bytes, *, received: datetime, directory_id: DirectoryId, rules: Rules) -> Parsed:
    """Return what an event asks for. It never raises, whatever the bytes are."""
    document = documents.read(event)
    whole = Context(received, directory_id)
    found = at_most(MOST_IN_EVENT, Reader(rules).value(document, whole), document, whole)
    return Parsed(
        requests=merge(finding for finding in found if isinstance(finding, ResetRequest)),
        ignored=tuple(finding for finding in found if isinstance(finding, Ignored)),
        problems=tuple(finding for finding in found if isinstance(finding, EventError)),
        http=isinstance(document, dict) and HTTP.fits(document),
    )


def merge(requests: Iterable[ResetRequest]) -> tuple[ResetRequest, ...]:
    """Return one request per user that asks for all that the given ones ask for, in order of first appearance.

    A dry run joins dry runs only: it must neither prevent a rotation nor become one.
    """
    groups: dict[tuple[tuple[str, str], bool], list[ResetRequest]] = {}
    for one in requests:
        groups.setdefault((one.user.key, one.dry_run), []).append(one)
    return tuple(_merged(group) for group in groups.values())


def _merged(group: list[ResetRequest]) -> ResetRequest:
    return replace(
        group[0],
        since=max(one.since for one in group),
        reason=max((one.reason for one in group), key=lambda reason: _URGENCY[reason]),
        source=_newest_source(group),
        must_change=_any_true([one.must_change for one in group]),
        force=any(one.force for one in group),
        directory_id=next((one.directory_id for one in group if one.directory_id is not None), None),
        origins=tuple(origin for one in group for origin in one.origins),
    )


def _newest_source(group: list[ResetRequest]) -> PasswordSource | None:
    stated = [one for one in group if one.source is not None]
    return max(stated, key=lambda one: one.since).source if stated else None


def _any_true(stated: list[bool | None]) -> bool | None:
    if True in stated:
        return True
    return False if False in stated else None

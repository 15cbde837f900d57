"""What Function Compute gives an invocation: its context, credentials, time and environment; and the real clock."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta, timezone
from typing import Protocol

from shared.errors import SettingsError
from shared.model import Credentials, Sealed

ENVIRONMENT: MutableMapping[str, str] = os.environ


class SystemClock:
    """The Clock port over the machine's own clock, which Function Compute keeps in step."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)


class Context(Protocol):
    """What is read of Function Compute's context. The Python 3.12 runtime's has no `credentials`."""

    request_id: str
    region: str


def silence_sdk(environ: MutableMapping[str, str]) -> None:
    """Take DEBUG=sdk away: the SDK prints requests, tokens included, while it is set, and asks at every call."""
    if environ.get("DEBUG", "").lower() == "sdk":
        del environ["DEBUG"]


def time_limit(context: Context, least: timedelta, why: str) -> timedelta:
    """Return how long this function may run; raise a SettingsError, with why, if that is less than it must."""
    limit = timedelta(seconds=_seconds(getattr(getattr(context, "function", None), "timeout", None)))
    if limit < least:
        seconds = int(limit.total_seconds())
        message = f"The function's timeout is {seconds} s; {why} may need {int(least.total_seconds())} s."
        raise SettingsError(message, cure="Raise timeout in s.yaml and deploy again.")
    return limit


def credentials(context: Context, environ: Mapping[str, str]) -> Credentials:
    """Return this invocation's credentials. They change while an instance lives, so they are read each time."""
    given = getattr(context, "credentials", None)
    if getattr(given, "access_key_id", None):
        return _triple(given.access_key_id, given.access_key_secret, given.security_token)  # type: ignore[union-attr]
    return _triple(
        environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        environ.get("ALIBABA_CLOUD_SECURITY_TOKEN"),
    )


def _seconds(timeout: object) -> float:
    try:
        return float(str(timeout))  # a runtime may hand it over as text
    except ValueError:
        return 0


def _triple(key_id: str | None, secret: str | None, token: str | None) -> Credentials:
    if not key_id or not secret:
        message = "The function has no credentials: neither in its context nor in ALIBABA_CLOUD_ACCESS_KEY_ID/_SECRET."
        raise SettingsError(message, cure="Give the function a role (s.yaml, role) and deploy again.")
    return Credentials(key_id, Sealed(secret), Sealed(token) if token else None)

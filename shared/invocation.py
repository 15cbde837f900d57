"""What Function Compute gives an invocation: its context, credentials, time and environment; and the real clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime, timedelta, timezone
from typing import Protocol

from shared.errors import SettingsError
from shared.model import Credentials, Sealed


class Environment(MutableMapping[str, str]):
    """The process's environment, with a repr that tells nothing: the Python 3.12 runtime keeps credentials there."""

    def __getitem__(self, name: str) -> str:
        return os.environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        os.environ[name] = value

    def __delitem__(self, name: str) -> None:
        del os.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


ENVIRONMENT = Environment()


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
        return _triple(given.access_key_id, _sealed(given.access_key_secret), _sealed(given.security_token))  # type: ignore[union-attr]
    return _triple(
        environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        _sealed(environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
        _sealed(environ.get("ALIBABA_CLOUD_SECURITY_TOKEN")),
    )


def _seconds(timeout: object) -> float:
    try:
        return float(str(timeout))  # a runtime may hand it over as text
    except ValueError:
        return 0


def _sealed(text: str | None) -> Sealed | None:
    return Sealed(text) if text else None


def _triple(key_id: str | None, secret: Sealed | None, token: Sealed | None) -> Credentials:
    if not key_id or not secret:
        message = "The function has no credentials: neither in its context nor in ALIBABA_CLOUD_ACCESS_KEY_ID/_SECRET."
        raise SettingsError(message, cure="Give the function a role (s.yaml, role) and deploy again.")
    return Credentials(key_id, secret, token)

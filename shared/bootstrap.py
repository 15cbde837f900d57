"""The environment, Function Compute's context and the real world made into ready objects: it alone knows everything."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from shared import alerts, audit, batch, events, password
from shared.cloudsso import CloudSsoDirectory
from shared.errors import SettingsError
from shared.kms import KmsSecretStore
from shared.model import Credentials, Sealed
from shared.ports import Clock
from shared.rotation import PUBLISH_BY, Policy, Rotator
from shared.settings import Settings

# Left at the end of an invocation: for the answer to a publication sent at the last moment, its tag, and to say so.
RESERVE = timedelta(seconds=25)
PREPARATION = timedelta(seconds=15)  # for the lookup and the list, before a rotation can begin


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


@dataclass(frozen=True)
class App:
    """One function instance, ready to be invoked."""

    settings: Settings
    rules: alerts.Rules
    environ: Mapping[str, str]
    clock: Clock

    def reset_passwords(self, event: bytes, context: Context) -> str:
        """Carry out every request of an event; return JSON with ids only.

        Raises a RotatorError without secrets if anything failed, after everything was tried.
        """
        started = self.clock.now()
        give_up_at = started + _time_limit(context) - RESERVE
        parsed = events.parse(event, received=started, directory_id=self.settings.directory_id, rules=self.rules)
        for error in parsed.problems:
            audit.problem(context.request_id, error)
        for one in parsed.ignored:
            audit.ignored(context.request_id, one.where, one.rule, one.origin)
        results: tuple[batch.Result, ...] = ()
        if parsed.requests:
            rotator = self._rotator(_credentials(context, self.environ))
            results = batch.carry_out(
                parsed.requests,
                lambda request: rotator.ensure_rotated(request, give_up_at=give_up_at),
                self.settings.max_parallel,
                lambda result: audit.result(context.request_id, result),
            )
        batch.raise_failures(results, parsed.problems)
        return _answer(results, ignored=len(parsed.ignored), http=parsed.http)

    def _rotator(self, credentials: Credentials) -> Rotator:
        settings = self.settings
        return Rotator(
            directory=CloudSsoDirectory(
                settings.directory_id, settings.cloudsso_region, settings.cloudsso_endpoint, credentials, self.clock
            ),
            store=KmsSecretStore(
                settings.kms_region,
                settings.kms_endpoint,
                credentials,
                self.clock,
                instance_id=settings.kms_instance_id,
                key_id=settings.kms_key_id,
            ),
            clock=self.clock,
            policy=Policy(settings.secret_name, settings.exemption, settings.source, settings.must_change),
            new_password=password.generate,
            new_owner=lambda: secrets.token_hex(16),
        )


def start(
    rules: Path, context: Context, environ: MutableMapping[str, str] = os.environ, clock: Clock | None = None
) -> App:
    """Return a ready App, or raise a SettingsError with every problem of the environment or the rules."""
    # The SDK prints requests, tokens included, while DEBUG=sdk is set. It asks at every call, so the variable goes.
    if environ.get("DEBUG", "").lower() == "sdk":
        del environ["DEBUG"]
    settings = Settings.load(environ, getattr(context, "region", None))
    audit.configure(settings.log_level)
    return App(settings, alerts.Rules.load(rules.read_bytes()), environ, clock or SystemClock())


def _time_limit(context: Context) -> timedelta:
    limit = timedelta(seconds=_seconds(getattr(getattr(context, "function", None), "timeout", None)))
    least = PREPARATION + PUBLISH_BY + RESERVE
    if limit < least:
        seconds = int(limit.total_seconds())
        message = f"The function's timeout is {seconds} s; a rotation may need {int(least.total_seconds())} s."
        raise SettingsError(message, cure="Set timeout in s.yaml (280 s also lets one lease pass) and deploy again.")
    return limit


def _seconds(timeout: object) -> float:
    try:
        return float(str(timeout))  # a runtime may hand it over as text
    except ValueError:
        return 0


def _credentials(context: Context, environ: Mapping[str, str]) -> Credentials:
    """Return this invocation's credentials. They change while an instance lives, so they are read each time."""
    given = getattr(context, "credentials", None)
    if getattr(given, "access_key_id", None):
        return _triple(given.access_key_id, given.access_key_secret, given.security_token)  # type: ignore[union-attr]
    return _triple(
        environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        environ.get("ALIBABA_CLOUD_SECURITY_TOKEN"),
    )


def _triple(key_id: str | None, secret: str | None, token: str | None) -> Credentials:
    if not key_id or not secret:
        message = "The function has no credentials: neither in its context nor in ALIBABA_CLOUD_ACCESS_KEY_ID/_SECRET."
        raise SettingsError(message, cure="Give the function a role (s.yaml, role) and deploy again.")
    return Credentials(key_id, Sealed(secret), Sealed(token) if token else None)


def _answer(results: tuple[batch.Result, ...], *, ignored: int, http: bool) -> str:
    outcomes = [audit.outcome(result.outcome) for result in results if isinstance(result, batch.Done)]
    body = json.dumps({"Outcomes": outcomes, "Ignored": ignored})
    if not http:
        return body
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return json.dumps({"statusCode": 200, "headers": headers, "isBase64Encoded": False, "body": body})

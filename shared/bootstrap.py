"""The function that rotates, made of its settings, Function Compute's context and the real world."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from shared import alerts, audit, batch, cloudsso, connections, events, kms, openapi, password
from shared.errors import RotatorError
from shared.invocation import ENVIRONMENT, Context, SystemClock, credentials, silence_sdk, time_limit
from shared.model import (
    Password,
    RequestId,
    ResetReceipt,
    ResetRequest,
    SecretName,
    SecretValue,
    User,
    UserRef,
    Version,
    VersionId,
)
from shared.ports import Clock
from shared.rotation import PUBLISH_BY, Policy, Rotator
from shared.settings import Settings

__all__ = ["App", "Context", "SystemClock", "start"]

# Left at the end of an invocation: for the answer to a publication sent at the last moment, its tag, and to say so.
RESERVE = timedelta(seconds=25)
PREPARATION = timedelta(seconds=15)  # for the lookup and the list, before a rotation can begin


class App(msgspec.Struct, frozen=True):
    """One function instance, ready to be invoked."""

    settings: Settings
    rules: alerts.Rules
    environ: Mapping[str, str]
    clock: batch.Journal
    signer: openapi.Signer
    rotator: Rotator

    def reset_passwords(self, event: bytes, context: Context) -> str:
        """Carry out every request of an event; return JSON with ids only.

        Raises a RotatorError without secrets if anything failed, after everything was tried.
        """
        told = False
        try:
            parsed, results = self._carry_out(event, context)
            told = True  # of each request and problem, by a line of its own
            batch.raise_failures(results, parsed.problems)
            return _answer(results, ignored=len(parsed.ignored), http=parsed.http)
        except RotatorError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
            failed, told = batch.unexpected(error), False
        failed.__context__ = failed.__cause__ = None
        if not told:
            audit.problem(context.request_id, failed)  # if this fails too, what it raises has nothing of the first
        raise failed.with_traceback(None)  # frames hold what the invocation knew

    def _carry_out(self, event: bytes, context: Context) -> tuple[events.Parsed, tuple[batch.Result, ...]]:
        started = self.clock.now()
        give_up_at = started + time_limit(context, PREPARATION + PUBLISH_BY + RESERVE, "a rotation") - RESERVE
        parsed = events.parse(event, received=started, directory_id=self.settings.directory_id, rules=self.rules)
        for error in parsed.problems:
            audit.problem(context.request_id, error)
        for one in parsed.ignored:
            audit.ignored(context.request_id, one.where, one.rule, one.origin)
        if not parsed.requests:
            return parsed, ()
        connections.make_safe(self.clock)
        with self.signer.signing_as(credentials(context, self.environ)):
            results = batch.carry_out(
                [self._settled(request) for request in parsed.requests],
                lambda request: self.rotator.ensure_rotated(request, give_up_at=give_up_at),
                self.settings.max_parallel,
                self.clock,
                lambda result: audit.result(context.request_id, result),
            )
        return parsed, results

    def _settled(self, request: ResetRequest) -> ResetRequest:
        """Return a request with what the settings say where it says nothing: the answer tells the user of it."""
        return replace(request, must_change=self.settings.must_change(request))


def start(
    rules: Path, context: Context, environ: MutableMapping[str, str] = ENVIRONMENT, clock: Clock | None = None
) -> App:
    """Return a ready App, or raise a SettingsError with every problem of the environment or the rules.

    All that one event would share with the next is made here, so that none pays for it: the clients, what they import
    for their calls, and what their connections trust.
    """
    silence_sdk(environ)
    return audit.started(
        getattr(context, "request_id", ""), lambda: _started(rules, context, environ, clock or SystemClock())
    )


def _started(rules: Path, context: Context, environ: MutableMapping[str, str], clock: Clock) -> App:
    settings = Settings.load(environ, getattr(context, "region", None))
    audit.configure(settings.log_level)
    journal, signer = batch.Journal(clock), openapi.Signer()
    parsed = alerts.Rules.load(rules.read_bytes())
    app = App(settings, parsed, environ, journal, signer, _rotator(settings, journal, signer))
    cloudsso.prepare()
    kms.prepare()
    connections.prepare(settings.cloudsso_endpoint, settings.kms_endpoint)
    return app


def _rotator(settings: Settings, journal: batch.Journal, signer: openapi.Signer) -> Rotator:
    return Rotator(
        directory=_Directory(
            journal, settings.directory_id, settings.cloudsso_region, settings.cloudsso_endpoint, signer, journal
        ),
        store=_Store(
            journal,
            settings.kms_region,
            settings.kms_endpoint,
            signer,
            journal,
            instance_id=settings.kms_instance_id,
            key_id=settings.kms_key_id,
        ),
        clock=journal,
        policy=Policy(settings.secret_name, settings.exemption, settings.source, settings.must_change),
        new_password=password.generate,
        new_owner=lambda: secrets.token_hex(16),
    )


class _Directory(cloudsso.CloudSsoDirectory):
    """The directory, which notes in the journal whom a request turned out to be about."""

    def __init__(self, journal: batch.Journal, *made_with: Any) -> None:  # noqa: ANN401 - as the directory says
        super().__init__(*made_with)
        self._journal = journal

    def find(self, ref: UserRef) -> User:
        user = self._journal.course.user = super().find(ref)
        return user

    def reset(self, user: User, candidate: Password | None, *, must_change: bool, send_by: datetime) -> ResetReceipt:
        receipt = super().reset(user, candidate, must_change=must_change, send_by=send_by)
        self._journal.course.reset_request_id = receipt.request_id
        return receipt


class _Store(kms.KmsSecretStore):
    """The store, which notes in the journal the secret, and the version that a request came to."""

    def __init__(self, journal: batch.Journal, *made_with: Any, **named: Any) -> None:  # noqa: ANN401 - as the store says
        super().__init__(*made_with, **named)
        self._journal = journal

    def versions(self, secret: SecretName) -> tuple[Version, ...] | None:
        self._journal.course.secret = secret
        return super().versions(secret)

    def create(
        self, secret: SecretName, version: VersionId, value: SecretValue, user: User, *, send_by: datetime
    ) -> None:
        self._journal.course.version = version
        super().create(secret, version, value, user, send_by=send_by)

    def put(
        self, secret: SecretName, version: VersionId, value: SecretValue, *, stage: str | None, send_by: datetime
    ) -> RequestId:
        self._journal.course.version = version
        return super().put(secret, version, value, stage=stage, send_by=send_by)


def _answer(results: tuple[batch.Result, ...], *, ignored: int, http: bool) -> str:
    outcomes = [audit.answer(result) for result in results if isinstance(result, batch.Done)]
    body = json.dumps({"Outcomes": outcomes, "Ignored": ignored})
    if not http:
        return body
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return json.dumps({"statusCode": 200, "headers": headers, "isBase64Encoded": False, "body": body})

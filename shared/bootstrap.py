"""The function that rotates, made of its settings, Function Compute's context and the real world."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from pathlib import Path

import msgspec

from shared import alerts, audit, batch, cloudsso, connections, events, kms, openapi, password
from shared.errors import RotatorError
from shared.invocation import ENVIRONMENT, Context, SystemClock, credentials, silence_sdk, time_limit
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
    clock: Clock
    signer: openapi.Signer
    rotator: Rotator

    def reset_passwords(self, event: bytes, context: Context) -> str:
        """Carry out every request of an event; return JSON with ids only.

        Raises a RotatorError without secrets if anything failed, after everything was tried.
        """
        bug: RotatorError | None = None
        try:
            return self._reset_passwords(event, context)
        except RotatorError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
            failed = bug = batch.unexpected(error)
        failed.__context__ = failed.__cause__ = None
        if bug is not None:
            audit.problem(context.request_id, bug)  # if this fails too, what it raises has nothing of the bug with it
        raise failed.with_traceback(None)  # frames hold what the invocation knew

    def _reset_passwords(self, event: bytes, context: Context) -> str:
        started = self.clock.now()
        give_up_at = started + time_limit(context, PREPARATION + PUBLISH_BY + RESERVE, "a rotation") - RESERVE
        parsed = events.parse(event, received=started, directory_id=self.settings.directory_id, rules=self.rules)
        for error in parsed.problems:
            audit.problem(context.request_id, error)
        for one in parsed.ignored:
            audit.ignored(context.request_id, one.where, one.rule, one.origin)
        results: tuple[batch.Result, ...] = ()
        if parsed.requests:
            connections.make_safe(self.clock)
            with self.signer.signing_as(credentials(context, self.environ)):
                results = batch.carry_out(
                    parsed.requests,
                    lambda request: self.rotator.ensure_rotated(request, give_up_at=give_up_at),
                    self.settings.max_parallel,
                    lambda result: audit.result(context.request_id, result),
                )
        batch.raise_failures(results, parsed.problems)
        return _answer(results, ignored=len(parsed.ignored), http=parsed.http)


def start(
    rules: Path, context: Context, environ: MutableMapping[str, str] = ENVIRONMENT, clock: Clock | None = None
) -> App:
    """Return a ready App, or raise a SettingsError with every problem of the environment or the rules.

    All that one event would share with the next is made here, so that none pays for it: the clients, what they import
    for their calls, and what their connections trust.
    """
    silence_sdk(environ)
    settings = Settings.load(environ, getattr(context, "region", None))
    audit.configure(settings.log_level)
    clock, signer = clock or SystemClock(), openapi.Signer()
    parsed = alerts.Rules.load(rules.read_bytes())
    app = App(settings, parsed, environ, clock, signer, _rotator(settings, clock, signer))
    cloudsso.prepare()
    kms.prepare()
    connections.prepare(settings.cloudsso_endpoint, settings.kms_endpoint)
    return app


def _rotator(settings: Settings, clock: Clock, signer: openapi.Signer) -> Rotator:
    return Rotator(
        directory=cloudsso.CloudSsoDirectory(
            settings.directory_id, settings.cloudsso_region, settings.cloudsso_endpoint, signer, clock
        ),
        store=kms.KmsSecretStore(
            settings.kms_region,
            settings.kms_endpoint,
            signer,
            clock,
            instance_id=settings.kms_instance_id,
            key_id=settings.kms_key_id,
        ),
        clock=clock,
        policy=Policy(settings.secret_name, settings.exemption, settings.source, settings.must_change),
        new_password=password.generate,
        new_owner=lambda: secrets.token_hex(16),
    )


def _answer(results: tuple[batch.Result, ...], *, ignored: int, http: bool) -> str:
    outcomes = [audit.outcome(result.outcome) for result in results if isinstance(result, batch.Done)]
    body = json.dumps({"Outcomes": outcomes, "Ignored": ignored})
    if not http:
        return body
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return json.dumps({"statusCode": 200, "headers": headers, "isBase64Encoded": False, "body": body})

"""The function that shows the state, made of its settings, Function Compute's context and the real world. Read-only.

Whoever asks through the HTTP trigger gets a page, errors included, and may be shown what was read up to a minute ago: a
survey of thirty thousand users takes six hundred calls. Whoever invokes the function gets JSON, read now, or an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from shared import audit, cloudsso, kms, status_audit, status_report, status_request
from shared.batch import unexpected
from shared.commands import Commands
from shared.connections import UNHURRIED
from shared.doctor import Doctor, Finding
from shared.envelopes import HTTP
from shared.errors import EventError, RotatorError, UserNotFound, quoted
from shared.invocation import ENVIRONMENT, Context, SystemClock, credentials, silence_sdk, time_limit
from shared.openapi import CONNECT_TIMEOUT, READ_TIMEOUT, Signer
from shared.page import HEADERS, Pages
from shared.ports import Clock
from shared.settings import StatusSettings
from shared.status import Selection, Survey, select
from shared.status_request import StatusRequest
from shared.survey import Policy, Surveyor, Together

# Left at the end of an invocation: for a call begun at the last moment, which is sent again for a while and waits for
# its last answer; and for ours.
RESERVE = UNHURRIED + CONNECT_TIMEOUT + READ_TIMEOUT + timedelta(seconds=5)
READING = timedelta(seconds=20)  # at least, for the smallest survey
KEPT = timedelta(minutes=1)  # how long a survey is shown once it is made
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Kept(msgspec.Struct):
    """What an instance keeps from one event to the next: the last survey, which holds names and times, no secrets."""

    survey: Survey | None = None
    until: datetime | None = None  # shown till then
    pages: Pages | None = None


class App(msgspec.Struct, frozen=True):
    """One function instance, ready to be invoked."""

    settings: StatusSettings
    templates: Path
    environ: Mapping[str, str]
    clock: Clock
    kept: Kept = msgspec.field(default_factory=Kept)

    def show(self, event: bytes, context: Context) -> str:
        """Return what an event asks for: JSON, or an answer of the HTTP trigger with a page in it.

        Raises a RotatorError without secrets where there is nothing to show; the HTTP trigger gets a page that says so.
        """
        http = status_request.is_http(event)
        try:
            return self._show(event, context)
        except RotatorError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
            failed = unexpected(error).retold("Nothing was changed: this function only reads.")
        failed.__context__ = failed.__cause__ = None
        audit.problem(context.request_id, failed)
        if http:
            return self._told(failed)
        raise failed.with_traceback(None)

    def _told(self, failed: RotatorError) -> str:
        """Return the page about an error. Nothing is raised for whoever signs: a runtime logs the event that failed."""
        try:
            body, headers = self._pages().failure(failed), HEADERS
        except Exception:  # noqa: BLE001 - the pages themselves are broken
            body, headers = f"{failed}\n", PLAIN
        return _http(_status(failed), body, headers)

    def _show(self, event: bytes, context: Context) -> str:
        started = self.clock.now()
        give_up_at = started + time_limit(context, READING + RESERVE, "a survey") - RESERVE
        asked = status_request.parse(event)
        if isinstance(asked, EventError):
            raise asked
        with ThreadPoolExecutor(self.settings.max_parallel, thread_name_prefix="survey") as pool:
            surveyor = self._surveyor(context, lambda tasks: list(pool.map(_carry_out, tasks)))
            survey = self._survey(asked, surveyor, context, give_up_at)
            survey, selection = self._selected(survey, asked, surveyor, give_up_at)
        self.kept.survey = survey
        findings = self._findings(survey, asked, context)
        return self._answer(survey, findings, selection, asked)

    def _survey(self, asked: StatusRequest, surveyor: Surveyor, context: Context, give_up_at: datetime) -> Survey:
        kept = self.kept.survey
        fresh_until = self.kept.until
        if kept and fresh_until and kept.complete and not asked.fresh and self.clock.now() < fresh_until:
            return kept
        survey = surveyor.survey(give_up_at=give_up_at)
        # Both at once, or a request that fails from here on prolongs an older survey's time. From the end of this one:
        # one of many users takes a while itself.
        self.kept.survey, self.kept.until = survey, self.clock.now() + KEPT
        status_audit.surveyed(context.request_id, asked.trigger, survey)
        return survey

    def _selected(
        self, survey: Survey, asked: StatusRequest, surveyor: Surveyor, give_up_at: datetime
    ) -> tuple[Survey, Selection]:
        """Return who was asked for, once the versions of their secrets were looked at."""
        selection = self._select(survey, asked)
        if asked.doctor and asked.user_name is None:
            return survey, selection
        survey = surveyor.look(survey, selection.rows, give_up_at=give_up_at, unmanaged=asked.user_name is not None)
        now = {one.user.id: one for one in survey.standings or ()}
        return survey, replace(selection, rows=tuple(now[one.user.id] for one in selection.rows))

    def _select(self, survey: Survey, asked: StatusRequest) -> Selection:
        everybody = survey.standings or ()
        if asked.user_name is None:
            return select(everybody, state=asked.state, search=asked.search, page=asked.page, per_page=asked.per_page)
        name = asked.user_name.casefold()
        one = [each for each in everybody if each.user.name.casefold() == name]
        if survey.standings is not None and not one:
            message = f"Directory {quoted(survey.directory_id)} has no user {quoted(asked.user_name)}."
            raise UserNotFound(message, unchanged="Nothing was changed.")
        return select(one, per_page=asked.per_page)

    def _findings(self, survey: Survey, asked: StatusRequest, context: Context) -> tuple[Finding, ...]:
        there = self.settings
        doctor = Doctor(Commands(there.directory_id, there.cloudsso_region, there.kms_region))
        findings = doctor.findings(survey, asked.user_name)
        if asked.doctor:
            status_audit.diagnosed(context.request_id, findings)
        return findings

    def _answer(self, survey: Survey, findings: tuple[Finding, ...], selection: Selection, asked: StatusRequest) -> str:
        if asked.html:
            age, pages = self.clock.now() - survey.as_of, self._pages()
            if asked.doctor:
                return _http(200, pages.doctor(survey, findings, age=age), HEADERS)
            return _http(200, pages.status(survey, selection, findings, age=age), HEADERS)
        if asked.doctor:
            told = json.dumps(status_report.doctor(survey, findings))
        else:
            told = json.dumps(status_report.status(survey, findings, selection))
        return _http(200, told, JSON) if asked.trigger == HTTP.trigger else told

    def _pages(self) -> Pages:
        if self.kept.pages is None:
            self.kept.pages = Pages(self.templates)
        return self.kept.pages

    def _surveyor(self, context: Context, together: Together) -> Surveyor:
        settings, signer = self.settings, Signer(credentials(context, self.environ))
        return Surveyor(
            directory=cloudsso.CloudSsoDirectory(
                settings.directory_id, settings.cloudsso_region, settings.cloudsso_endpoint, signer, self.clock
            ),
            store=kms.KmsSecretStore(settings.kms_region, settings.kms_endpoint, signer, self.clock),
            clock=self.clock,
            policy=Policy(
                secret_name=settings.secret_name,
                exemption=settings.exemption,
                onboards=settings.onboard.selects,
                lead=settings.rotate_before_expiry,
                spread=settings.spread,
                secret_prefix=settings.secret_name_prefix,
                lookups=settings.lookups,
                at_once=settings.max_parallel,
            ),
            directory_id=settings.directory_id,
            together=together,
        )


def start(
    templates: Path, context: Context, environ: MutableMapping[str, str] = ENVIRONMENT, clock: Clock | None = None
) -> App:
    """Return a ready App, or raise a SettingsError with every problem of the environment."""

    def app() -> App:
        silence_sdk(environ)
        settings = StatusSettings.load(environ, getattr(context, "region", None))
        audit.configure(settings.log_level)
        return App(settings, templates, environ, clock or SystemClock())

    return audit.started(getattr(context, "request_id", ""), app)


def _carry_out(task: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the task returns
    return task()


def _status(error: RotatorError) -> int:
    """Return the HTTP status that an error is shown with."""
    if isinstance(error, UserNotFound):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.BAD_REQUEST if isinstance(error, EventError) else HTTPStatus.INTERNAL_SERVER_ERROR


def _http(status: int, body: str, headers: Mapping[str, str]) -> str:
    """Return the answer that the HTTP trigger makes a response of."""
    return json.dumps({"statusCode": int(status), "headers": headers, "isBase64Encoded": False, "body": body})

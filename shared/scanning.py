"""The function that scans, made of its settings, Function Compute's context and the real world."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime, timedelta

import msgspec

from shared import audit, dispatch, fanout, scan_audit, scan_request
from shared.batch import unexpected
from shared.cloudsso import CloudSsoDirectory
from shared.errors import DirectoryError, EventError, RotatorError, SecretStoreError, SettingsError
from shared.invocation import ENVIRONMENT, Context, SystemClock, credentials, silence_sdk, time_limit
from shared.kms import KmsSecretStore
from shared.model import Credentials, Endpoint, RotationTarget
from shared.openapi import Signer
from shared.ports import Clock, Dispatcher
from shared.report import Report
from shared.scan import Fate, Plan, Policy, Scanner
from shared.scan_request import ScanRequest
from shared.settings import ScanSettings

# Left at the end of an invocation: for a dispatch that was begun at the last moment, and to say so.
RESERVE = dispatch.LONGEST + timedelta(seconds=5)
READING = timedelta(seconds=20)  # at least, before anything can be dispatched

MakeDispatcher = Callable[[RotationTarget, Endpoint, str, Credentials, Clock], Dispatcher]


class App(msgspec.Struct, frozen=True):
    """One function instance, ready to be invoked."""

    settings: ScanSettings
    environ: Mapping[str, str]
    clock: Clock
    dispatcher: MakeDispatcher

    def scan(self, event: bytes, context: Context) -> str:
        """Find who is due and hand their rotations on; return the report as JSON.

        Raises a RotatorError without secrets if anything failed: before anything was dispatched if it was a page that
        could not be read, after everything was tried if it was a dispatch.
        """
        try:
            return json.dumps(self._scan(event, context))
        except RotatorError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - a bug; its text may hold anything, so only its type and place go on
            failed = unexpected(error)
        failed.__context__ = failed.__cause__ = None
        audit.problem(context.request_id, failed)
        raise failed.with_traceback(None)

    def _scan(self, event: bytes, context: Context) -> dict[str, object]:
        started = self.clock.now()
        give_up_at = started + time_limit(context, READING + RESERVE, "a scan") - RESERVE
        asked = scan_request.parse(event, received=started)
        if isinstance(asked, EventError):
            raise asked
        who = credentials(context, self.environ)
        report = Report(tell=lambda fate, users: scan_audit.named(context.request_id, fate, users))
        scanner = self._scanner(who)
        plan = _planned(lambda: scanner.plan(asked.as_of, give_up_at=give_up_at, tell=report.add))
        results = self._carry_out(plan, asked, context, who, give_up_at)
        for result in results:
            report.add(result.fate, result.due.user_name)
        report.out_of_time = any(result.fate is Fate.DEFERRED for result in results)
        report.close()
        numbers = report.summary(plan, scanner.policy, dry_run=asked.dry_run)
        scan_audit.scanned(context.request_id, asked.trigger, numbers)
        fanout.raise_failures(results)
        return report.answer(plan, scanner.policy, dry_run=asked.dry_run)

    def _carry_out(
        self, plan: Plan, asked: ScanRequest, context: Context, who: Credentials, give_up_at: datetime
    ) -> tuple[fanout.Result, ...]:
        directory_id = self.settings.directory_id

        def tell(result: fanout.Result) -> None:
            scan_audit.dispatch(context.request_id, directory_id, result)

        if asked.dry_run or not plan.chosen:
            results = tuple(fanout.Result(due, Fate.WOULD_DISPATCH) for due in plan.chosen)
            for result in results:
                tell(result)
            return results
        dispatcher = self._dispatcher(context, who)
        return fanout.carry_out(
            plan.chosen,
            lambda due: dispatcher.dispatch(due.request(directory_id), due.task_id),
            self.settings.max_parallel,
            in_time=lambda: self.clock.now() < give_up_at,
            tell=tell,
        )

    def _dispatcher(self, context: Context, who: Credentials) -> Dispatcher:
        settings = self.settings
        endpoint = settings.rotation_endpoint
        if endpoint.host is None:
            endpoint = Endpoint(f"{_account(context)}.{context.region}.fc.aliyuncs.com")
        return self.dispatcher(settings.rotation_function, endpoint, context.region, who, self.clock)

    def _scanner(self, who: Credentials) -> Scanner:
        settings, signer = self.settings, Signer(who)
        return Scanner(
            directory=CloudSsoDirectory(
                settings.directory_id, settings.cloudsso_region, settings.cloudsso_endpoint, signer, self.clock
            ),
            store=KmsSecretStore(settings.kms_region, settings.kms_endpoint, signer, self.clock),
            clock=self.clock,
            policy=Policy(
                secret_name=settings.secret_name,
                exemption=settings.exemption,
                onboards=settings.onboard.selects,
                lead=settings.rotate_before_expiry,
                spread=settings.spread,
                limit=settings.scan_limit,
            ),
            directory_id=settings.directory_id,
        )


def _planned(plan: Callable[[], Plan]) -> Plan:
    """Return the plan, or raise what it failed of in the words of a scan: no password was at stake yet."""
    try:
        return plan()
    except (DirectoryError, SecretStoreError) as error:
        failed = error.retold("Nothing was dispatched.")
    raise failed


def start(
    context: Context,
    environ: MutableMapping[str, str] = ENVIRONMENT,
    clock: Clock | None = None,
    dispatcher: MakeDispatcher = dispatch.dispatcher,
) -> App:
    """Return a ready App, or raise a SettingsError with every problem of the environment."""
    silence_sdk(environ)

    def app() -> App:
        settings = ScanSettings.load(environ, getattr(context, "region", None))
        audit.configure(settings.log_level)
        return App(settings, environ, clock or SystemClock(), dispatcher)

    return audit.started(getattr(context, "request_id", ""), app)


def _account(context: Context) -> str:
    account = str(getattr(context, "account_id", None) or "")
    if not account.isdigit():
        message = "Function Compute's context does not say whose account this is, and ROTATION_ENDPOINT is not set."
        raise SettingsError(message, cure="Set ROTATION_ENDPOINT in s.yaml and deploy again.")
    return account

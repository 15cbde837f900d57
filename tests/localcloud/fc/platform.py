"""Function Compute's other side: deploys functions, runs them in processes, keeps their queue and their logs."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.localcloud.api import ApiError, Clock
from tests.localcloud.fc.asynchronous import AsyncQueue
from tests.localcloud.fc.backend import (
    LATEST,
    UNHANDLED,
    AsyncConfig,
    Result,
    Target,
    TaskRecord,
    async_config_not_found,
    function_not_found,
    task_not_found,
)
from tests.localcloud.fc.cloudtime import SHIFT_BYTES, Shift
from tests.localcloud.fc.code import CodeFolder
from tests.localcloud.fc.deployment import Deployment
from tests.localcloud.fc.destinations import DestinationRefusedError, Destinations, Messages, Outcome
from tests.localcloud.fc.functions import FunctionRefusedError, FunctionSpec
from tests.localcloud.fc.instance import Ending, Instance, InstanceLostError, packed_error
from tests.localcloud.fc.invocation import check_size, invalid
from tests.localcloud.fc.logs import LogRecord, Logs
from tests.localcloud.fc.operation import Place
from tests.localcloud.fc.pool import Pool
from tests.localcloud.fc.service import FunctionCompute
from tests.localcloud.ram.service import Credentials, Ram, Role
from tests.localcloud.timeline import Timeline

CREDENTIAL_SECONDS = 36 * 3600.0  # "Context" page
_RETRY_SECONDS = re.compile(r"(\d+) s")


class Functions(FunctionCompute):
    """The functions of one account in one region, running (backend.Backend)."""

    def __init__(
        self, place: Place, ram: Ram, clock: Clock, timeline: Timeline, retry_delay: Callable[[], str]
    ) -> None:
        super().__init__(place, self)
        self.pool = Pool()
        self._ram = ram
        self._clock = clock
        self._timeline = timeline
        self._retry_delay = retry_delay
        self._roles: dict[str, Role] = {}
        self._deployed: dict[tuple[str | None, str], Deployment] = {}
        self._retired: list[Deployment] = []
        self._configs: dict[Target, AsyncConfig] = {}
        self._running: dict[str, Instance] = {}
        self._cancelled: set[str] = set()
        self._logs = Logs(place, ram)
        self._lock = threading.RLock()
        self._queue = AsyncQueue(self, timeline, new_request_id)
        self._destinations = Destinations(ram, lambda target, body: self.invoke_async(target, body, None))
        self._turn: Callable[[], object] = _nothing
        self._shift: Shift | None = None
        self._shift_lock = threading.Lock()
        self._shift_file = -1
        timeline.watch(self._at_rest)

    def start(self, turn: Callable[[], object]) -> None:
        """Be ready to run functions. `turn` lets the cloud take in every request that was sent to it already."""
        with tempfile.TemporaryFile() as file:
            file.truncate(SHIFT_BYTES)
            self._shift_file = os.dup(file.fileno())
        self._shift = Shift(self._shift_file, writable=True)
        self._follow_clock()
        self._clock.watch(self._follow_clock)
        self._turn = turn

    def stop(self) -> None:
        """Kill every instance, and give everything back."""
        self.pool.close()
        with self._lock:
            everything, self._deployed, self._retired = [*self._deployed.values(), *self._retired], {}, []
        with self._shift_lock:
            shift, self._shift = self._shift, None
        for deployment in everything:
            deployment.folder.remove()
        if shift is not None:
            shift.close()
            os.close(self._shift_file)

    def now(self) -> datetime:
        """Return the cloud's time."""
        return self._clock.now()

    def send_messages_to(self, messages: Messages | None) -> None:
        """Let destinations that are queues and topics be these."""
        self._destinations.messages = messages

    def add_role(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Create a role that functions can have, or attach other policies to it: they count from the next call on."""
        with self._lock:
            self._roles[name] = self._ram.role(name, self.place.account_id, *documents)

    def deploy(self, spec: FunctionSpec) -> None:
        """Deploy a function, or deploy it anew: requests that are under way end as they began."""
        self._role(spec)
        self._check_destinations(spec.asynchronous or AsyncConfig())
        deployment = Deployment(spec, CodeFolder(spec.code), self.place, self._timeline, self._shift_file)
        self.pool.open(deployment)
        with self._lock:
            before = self._deployed.get((spec.service, spec.name))
            self._deployed[spec.service, spec.name] = deployment
            if before is not None:
                self._retired.append(before)  # its folder stays as long as an instance may need it
            if spec.asynchronous is not None:
                self._set_config(spec.target, spec.asynchronous)
        if before is not None:
            self.pool.retire(before)

    def invoke(self, target: Target, payload: bytes) -> Result:
        """See Backend."""
        check_size(payload, asynchronous=False)
        return self.run(target, payload, new_request_id(), 0)

    def invoke_async(self, target: Target, payload: bytes, task_id: str | None = None) -> str:
        """See Backend."""
        self._deployment(target)
        check_size(payload, asynchronous=True)
        return self._queue.accept(target, payload, task_id)

    def tasks(self, target: Target) -> Sequence[TaskRecord]:
        """See Backend."""
        return self.accepted(target) if self.config(target).task else []

    def task(self, target: Target, task_id: str) -> TaskRecord:
        """See Backend."""
        self._check_tasks(target, task_id)
        return self._queue.record(target, task_id)

    def stop_task(self, target: Target, task_id: str) -> None:
        """See Backend."""
        self._check_tasks(target, task_id)
        self._queue.stop(target, task_id)

    def async_config(self, target: Target) -> AsyncConfig:
        """See Backend."""
        self._deployment(target)
        with self._lock:
            config = self._configs.get(target)
        if config is None:
            raise async_config_not_found(target)
        return config

    def set_async_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        """See Backend."""
        self._deployment(target)
        try:
            self._check_destinations(config)
        except DestinationRefusedError as problem:
            refusal = invalid(str(problem))
        else:
            return self._set_config(target, config)
        raise refusal

    def accepted(self, target: Target) -> list[TaskRecord]:
        """Return every asynchronous invocation of a function so far, whether or not they are recorded as tasks."""
        self._deployment(target)
        return self._queue.records(target)

    def instances(self, target: Target | None = None) -> list[Instance]:
        """Return the instances of a function (of all, if None), those at work first."""
        return self.pool.instances(None if target is None else self._deployment(target))

    def cold_starts(self, target: Target) -> int:
        """Return how many instances of a function were started since it was deployed."""
        return self.pool.cold_starts(self._deployment(target))

    def logs(self, function: str | None = None) -> list[LogRecord]:
        """Return what functions have logged, one record for each request that has ended, in that order."""
        return self._logs.of(function)

    def run(self, target: Target, payload: bytes, request_id: str, retry: int) -> Result:
        """Run a function and wait for its end. ApiError: it did not run (asynchronous.Engine)."""
        with self._timeline.busy():
            deployment = self._deployment(target)
            try:
                instance = self.pool.take(deployment)
            except InstanceLostError:
                body = packed_error("Process exited unexpectedly before completing request")
                return Result(request_id, body, UNHANDLED)
            with self._lock:
                self._running[request_id] = instance
                cancelled = request_id in self._cancelled
            alive = False
            try:
                if cancelled:  # before there was an instance to end
                    instance.kill()
                headers = deployment.headers(request_id, target, self._credentials(deployment), retry)
                ending, log = self._served(deployment, instance, headers, payload)
                alive = ending.alive
            finally:
                with self._lock:
                    del self._running[request_id]
                (self.pool.give_back if alive else self.pool.drop)(instance)
        text = log.decode(errors="replace")
        record = LogRecord(deployment.spec.name, request_id, instance.id, self._clock.now(), text)
        self._logs.write(record, deployment.spec, self._role(deployment.spec))
        return _result(request_id, instance, ending, log)

    def cancel(self, request_id: str) -> None:
        """See asynchronous.Engine."""
        with self._lock:
            self._cancelled.add(request_id)
            instance = self._running.get(request_id)
        if instance is not None:
            instance.kill()

    def config(self, target: Target) -> AsyncConfig:
        """See asynchronous.Engine."""
        with self._lock:
            return self._configs.get(target) or AsyncConfig()

    def retry_delay(self) -> float:
        """See asynchronous.Engine."""
        found = _RETRY_SECONDS.fullmatch(self._retry_delay())
        return float(found[1]) if found else 0.0

    def deliver(self, target: Target, destination: str, outcome: Outcome) -> str:
        """See asynchronous.Engine."""
        try:
            role = self._role(self._deployment(target).spec)
        except ApiError as refusal:  # the function is gone, as all are once the cloud stops
            return f"Failed: {refusal.code}"
        body = outcome.envelope(int(self._clock.now().timestamp() * 1000))
        return self._destinations.send(destination, body, role)

    def arn(self, target: Target) -> str:
        """See asynchronous.Engine."""
        return self.place.arn(target)

    def _served(
        self, deployment: Deployment, instance: Instance, headers: dict[str, str], payload: bytes
    ) -> tuple[Ending, bytes]:
        """Let an instance serve a request, and prepare itself before the first; return the end, and all the log."""
        request_id, spec = headers["x-fc-request-id"], deployment.spec
        log = b""
        if spec.initializer is not None and not instance.served:
            initialized = instance.serve(deployment.initializing(headers), b"", spec.initializer_timeout)
            log += _framed("Initialize", request_id, initialized)
            if initialized.failed:
                return replace(initialized, alive=False), log
        ending = instance.serve(headers, payload, spec.timeout)
        return ending, log + _framed("Invoke", request_id, ending)

    def _credentials(self, deployment: Deployment) -> Credentials | None:
        """Issue the credentials of one invocation."""
        role = self._role(deployment.spec)
        return None if role is None else self._ram.issue(role, expires_in=CREDENTIAL_SECONDS)

    def _deployment(self, target: Target) -> Deployment:
        with self._lock:
            deployment = self._deployed.get((target.service, target.function))
        if deployment is None or target.qualifier not in (LATEST, *deployment.spec.qualifiers):
            raise function_not_found(target)
        return deployment

    def _role(self, spec: FunctionSpec) -> Role | None:
        name = spec.role_name
        if name is None:
            return None
        with self._lock:
            if name not in self._roles:
                msg = f"function {spec.name!r} is refused: there is no role {name!r}"
                raise FunctionRefusedError(msg)
            return self._roles[name]

    def _check_destinations(self, config: AsyncConfig) -> None:
        for arn in (config.on_success, config.on_failure):
            if arn is not None:
                self._destinations.check(arn)

    def _set_config(self, target: Target, config: AsyncConfig) -> AsyncConfig:
        now = self._clock.now()
        with self._lock:
            before = self._configs.get(target)
            created = before.created if before is not None else now
            self._configs[target] = kept = replace(config, created=created, modified=now)
        return kept

    def _check_tasks(self, target: Target, task_id: str) -> None:
        self._deployment(target)
        if not self.config(target).task:
            raise task_not_found(task_id)

    def _follow_clock(self) -> None:
        with self._shift_lock:
            if self._shift is not None:
                self._shift.set(self._clock.shifted // timedelta(microseconds=1))

    def _at_rest(self) -> bool:
        """Tell whether every instance at work waits for time to pass (Timeline.watch).

        What an instance sent before it came to rest may be on its way: the cloud takes it in and is busy then. An
        instance that was reached by an answer meanwhile has run.
        """
        at_work = self.pool.at_work()
        if not at_work:
            return True
        before = [instance.rest() for instance in at_work]
        if None in before:
            return False
        self._turn()
        return before == [instance.rest() for instance in at_work]


def new_request_id() -> str:
    """Return a request id in the form of Function Compute's."""
    return str(uuid.uuid4())


def _framed(what: str, request_id: str, ending: Ending) -> bytes:
    end = f", Error: {UNHANDLED}" if ending.failed else ""
    head, tail = f"FC {what} Start RequestId: {request_id}\n", f"FC {what} End RequestId: {request_id}{end}\n"
    newline = b"\n" if ending.log and not ending.log.endswith(b"\n") else b""
    return head.encode() + ending.log + newline + tail.encode()


def _result(request_id: str, instance: Instance, ending: Ending, log: bytes) -> Result:
    headers = {
        "x-fc-instance-id": instance.id,
        "x-fc-invocation-duration": str(round(ending.seconds * 1000)),
        "x-fc-max-memory-usage": str(ending.megabytes),
    }
    return Result(request_id, ending.payload, UNHANDLED if ending.failed else None, log, headers)


def _nothing() -> None:
    """Be what is called before there is anything to call."""

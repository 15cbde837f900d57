"""One admitted call on its way from its signature to its answer, at the mercy of the faults that strike it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from starlette.requests import ClientDisconnect

from tests.localcloud.api import ApiError
from tests.localcloud.gateway import effects
from tests.localcloud.gateway.calls import CallRecord, Calls
from tests.localcloud.gateway.exchange import Exchange
from tests.localcloud.gateway.faults import Faults, Hook, Strike
from tests.localcloud.gateway.late import LateCalls
from tests.localcloud.gateway.wire import Answer


class Desk(Protocol):
    """What all calls of one cloud share."""

    faults: Faults
    calls: Calls
    late: LateCalls
    later: Callable[[float, Callable[[], object]], object]  # lets something be done so many seconds from now

    def defect(self, error: Exception) -> ApiError:
        """Note where the cloud itself failed, and return what the client is told."""


class Work(Protocol):
    """A call whose signature was right, of an action that exists, in the form of its product's API."""

    @property
    def service(self) -> str:
        """The RAM service code."""

    @property
    def name(self) -> str:
        """The action, as faults name it."""

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters, as faults select by them."""

    async def apply(self, record: CallRecord) -> Answer:
        """Authorize the call and do it; a refusal is an answer too. Raises ClientDisconnect if nobody waits for it."""

    def apply_late(self, record: CallRecord) -> Answer:
        """Do the same from whichever thread; the client is gone."""

    def refused(self, refusal: ApiError, request_id: str, headers: Mapping[str, str]) -> Answer:
        """Return a refusal in the API's own form."""


class StruckCall:
    """One admitted call on its way, as the effects of faults see it (effects.Struck)."""

    def __init__(self, desk: Desk, exchange: Exchange, record: CallRecord, work: Work) -> None:
        self.service = work.service
        self._desk = desk
        self._exchange = exchange
        self._record = record
        self._work = work
        self._strike: Strike = desk.faults.take(work.name, work.params)

    async def run(self) -> None:
        strike = self._strike
        try:
            await _in_threads(strike.before)
            if strike.fault is None:
                await self.answer(await self.apply())
            else:
                self._desk.calls.update(self._record, fault=strike.fault.kind)
                await effects.strike(strike.fault, self)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as defect:  # noqa: BLE001 - a hook's failure must end the test, not the server
            failure = self._desk.defect(defect)
        else:
            return
        await self.refuse(failure, {})

    async def apply(self) -> Answer:
        answer = await self._work.apply(self._record)
        await _in_threads(self._strike.after)
        return answer

    def apply_late(self, seconds: float) -> None:
        release = self._desk.late.add(lambda: self._work.apply_late(self._record))
        if seconds:
            self._desk.later(seconds, release)

    async def refuse(self, refusal: ApiError, headers: dict[str, str]) -> None:
        await self.answer(self._work.refused(refusal, self._record.request_id, headers))

    async def answer(self, answer: Answer) -> None:
        self._desk.calls.update(self._record, status=answer.status, code=answer.code)
        await self._exchange.answer(answer)

    async def cut(self, answer: Answer, keep: int) -> None:
        await self._exchange.cut(answer, keep)

    async def drop(self) -> None:
        await self._exchange.drop()

    async def pause(self, seconds: float | None) -> None:
        await self._exchange.pause(seconds)


def in_real_time(seconds: float, do: Callable[[], object]) -> None:
    """Let something be done in a thread so many real seconds from now (Desk.later)."""
    loop = asyncio.get_running_loop()
    loop.call_later(seconds, lambda: loop.run_in_executor(None, do))


async def _in_threads(hooks: Iterable[Hook]) -> None:
    """Run hooks off the event loop: a hook may call the cloud and wait for the answer."""
    for hook in hooks:
        await asyncio.to_thread(hook)

"""Instances are processes: used again, limited, killed at any moment, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.localcloud.api import ApiError
from tests.localcloud.fc.processes import deaf_to_terminals
from tests.localcloud.server import LocalCloud
from tests.localcloud.timeline import Ticket
from tests.loopback.workshop import BOUND, Workshop, error_of, until

WAITING = """
    def handler(event, context):
        name = event.decode()
        (SIGNALS / ("began-" + name)).touch()
        while not (SIGNALS / ("go-" + name)).exists():
            pass
        return name
    """
COUNTING = """
    STATE = []

    def handler(event, context):
        STATE.append(1)
        return len(STATE)
    """


def exists(pid: int) -> bool:
    """Tell whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_instance_is_used_again_and_keeps_what_it_kept(workshop: Workshop) -> None:
    target = workshop.deploy(COUNTING)
    assert [workshop.answer(target) for _ in range(3)] == [1, 2, 3]
    assert workshop.cloud.fc.cold_starts(target) == 1


def test_one_instance_serves_one_request_at_a_time(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60)
    first = workshop.in_background(lambda: workshop.invoke(target, b"1"))
    workshop.signed("began-1")
    second = workshop.in_background(lambda: workshop.invoke(target, b"2"))
    workshop.signed("began-2")
    assert len({instance.pid for instance in workshop.cloud.fc.instances(target)}) == 2
    assert all(instance.at_work for instance in workshop.cloud.fc.instances(target))
    workshop.sign("go-2")
    workshop.sign("go-1")
    assert (first.result(BOUND).payload, second.result(BOUND).payload) == (b"1", b"2")
    assert not any(instance.at_work for instance in workshop.cloud.fc.instances(target))
    assert workshop.cloud.fc.cold_starts(target) == 2


def test_reserved_concurrency_is_a_limit(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60, reserved_concurrency=1)
    first = workshop.in_background(lambda: workshop.invoke(target, b"1"))
    workshop.signed("began-1")
    with pytest.raises(ApiError, match="429 ResourceThrottled"):
        workshop.invoke(target, b"2")
    workshop.sign("go-1")
    assert first.result(BOUND).payload == b"1"
    workshop.sign("go-2")
    assert workshop.invoke(target, b"2").payload == b"2"
    assert workshop.cloud.fc.cold_starts(target) == 1


def test_the_account_has_a_limit_and_idle_instances_make_room(workshop: Workshop) -> None:
    workshop.cloud.fc.pool.limit = 1
    other, target = workshop.deploy(COUNTING, "other"), workshop.deploy(WAITING, timeout=60)
    assert workshop.answer(other) == 1
    (evicted,) = workshop.cloud.fc.instances(other)
    first = workshop.in_background(lambda: workshop.invoke(target, b"1"))
    workshop.signed("began-1")
    assert not exists(evicted.pid)
    with pytest.raises(ApiError, match="429 ResourceThrottled"):
        workshop.invoke(other)
    workshop.sign("go-1")
    first.result(BOUND)
    assert workshop.answer(other) == 1


def test_an_instance_that_was_killed_while_it_idled_is_replaced(workshop: Workshop) -> None:
    target = workshop.deploy(COUNTING)
    assert workshop.answer(target) == 1
    killed = workshop.the_instance(target)
    killed.kill()
    until(lambda: not killed.alive, "it lives")
    assert workshop.answer(target) == 1
    assert workshop.the_instance(target).pid != killed.pid


def test_an_instance_that_is_killed_at_work_fails_that_request_only(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60)
    answer = workshop.in_background(lambda: workshop.invoke(target, b"1"))
    workshop.signed("began-1")
    os.kill(workshop.the_instance(target).pid, signal.SIGKILL)
    assert "Process exited unexpectedly" in error_of(answer.result(BOUND))["errorMessage"]
    workshop.sign("go-2")
    assert workshop.invoke(target, b"2").payload == b"2"


def test_an_instance_that_is_killed_while_it_sleeps_or_starts_fails_its_request(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    time.sleep(3600)", timeout=7200)
    with workshop.cloud.timeline.busy():  # time stands: it sleeps until it is killed
        for _ in range(5):
            answer = workshop.in_background(lambda: workshop.invoke(target))
            until(lambda: bool(workshop.cloud.fc.instances(target)), "no instance")
            workshop.the_instance(target).kill()
            assert "Process exited unexpectedly" in error_of(answer.result(BOUND))["errorMessage"]


def test_a_child_that_holds_the_line_open_does_not_hide_a_death(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import os

        def handler(event, context):
            child = os.fork()
            if not child:
                (SIGNALS / "child").write_text(str(os.getpid()))
                while True:
                    os.read(os.pipe()[0], 1)
            while not (SIGNALS / "child").exists():
                pass
            os.kill(os.getpid(), 9)
        """,
        timeout=60,
    )
    assert "Process exited unexpectedly" in error_of(workshop.invoke(target))["errorMessage"]
    child = int(workshop.marks("child")[0])
    until(lambda: not exists(child) or _is_zombie(child), "the child lives on")


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return True


def test_what_a_forked_child_returns_later_answers_no_other_request(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import os

        def handler(event, context):
            if event == b"fork":
                if os.fork():
                    return "the parent"
                while not (SIGNALS / "second").exists():
                    pass
                return "the child"
            (SIGNALS / "second").touch()
            began = time.monotonic()
            while time.monotonic() - began < 0.5:
                pass
            return "the second request"
        """
    )
    assert workshop.invoke(target, b"fork").payload == b"the parent"
    assert workshop.invoke(target, b"next").payload == b"the second request"


@pytest.mark.parametrize("words", [b"\0\0\0\5\0\0\0\0hello", b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\2\0\0\0\0{}"])
def test_code_that_writes_to_the_runtimes_own_line_loses_its_instance(workshop: Workshop, words: bytes) -> None:
    target = workshop.deploy(
        """
        import contextlib, os

        def handler(event, context):
            for number in range(3, 64):
                with contextlib.suppress(OSError):
                    os.write(number, event)
            return "written"
        """
    )
    assert "Process exited unexpectedly" in error_of(workshop.invoke(target, words))["errorMessage"]
    assert workshop.cloud.fc.instances() == []


def test_a_time_limit_that_comes_late_does_not_end_the_next_request(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[Callable[[], object]] = []
    timeline = workshop.cloud.timeline
    enter = timeline.after

    def after(seconds: float, do: Callable[[], object]) -> Ticket:
        entered.append(do)
        return enter(seconds, do)

    target = workshop.deploy(WAITING)
    workshop.sign("go-1")
    monkeypatch.setattr(timeline, "after", after)
    assert workshop.invoke(target, b"1").payload == b"1"
    (late, *_) = entered
    second = workshop.in_background(lambda: workshop.invoke(target, b"2"))
    workshop.signed("began-2")
    late()
    workshop.sign("go-2")
    assert second.result(BOUND).payload == b"2"


def test_an_instance_hears_no_terminal_before_it_has_its_own_group() -> None:
    program = "import signal; print(*sorted(int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    with deaf_to_terminals():
        told = subprocess.check_output([sys.executable, "-c", program], text=True)  # noqa: S603 - this interpreter
    assert told.split() == [str(int(each)) for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.fixture(params=[(), (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)], ids=["listens", "ignores, as by nohup"])
def _ignored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the process that starts instances ignore signals, which it hands down to whatever it starts."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in request.param}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_ignored")
def test_a_function_finds_signals_as_python_leaves_them_whoever_started_the_cloud(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import os, signal

        def handler(event, context):
            interrupt = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            ignored = [each.name for each in signal.Signals if signal.getsignal(each) is signal.SIG_IGN]
            blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
            return [interrupt, sorted(ignored), blocked, os.getpgid(0) == os.getpid()]
        """
    )
    assert workshop.answer(target) == [True, ["SIGPIPE", "SIGXFSZ"], [], True]


def test_a_function_that_is_deployed_anew_runs_its_new_code(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return 1")
    assert workshop.answer(target) == 1
    old = workshop.the_instance(target)
    workshop.deploy("def handler(event, context):\n    return 2")
    assert workshop.answer(target) == 2
    assert not exists(old.pid)


def test_a_request_under_way_ends_as_it_began_though_the_function_is_deployed_anew(workshop: Workshop) -> None:
    target = workshop.deploy(WAITING, timeout=60)
    answer = workshop.in_background(lambda: workshop.invoke(target, b"1"))
    workshop.signed("began-1")
    (old,) = workshop.cloud.fc.instances(target)
    workshop.deploy(COUNTING)
    assert workshop.answer(target) == 1
    workshop.sign("go-1")
    assert answer.result(BOUND).payload == b"1"
    until(lambda: not exists(old.pid), "the old instance lives on")


def test_many_requests_at_once_are_all_answered(workshop: Workshop) -> None:
    workshop.cloud.fc.pool.limit = 4
    target = workshop.deploy("def handler(event, context):\n    time.sleep(7)\n    return event", timeout=60)
    answers: list[bytes] = []

    def ask(number: int) -> None:
        for turn in range(5):
            event = f"{number}-{turn}".encode()
            answers.append(workshop.invoke(target, event).payload)

    waits = [workshop.in_background(lambda number=number: ask(number)) for number in range(4)]  # type: ignore[misc]
    for each in waits:
        each.result(BOUND)
    assert sorted(answers) == sorted(f"{number}-{turn}".encode() for number in range(4) for turn in range(5))
    assert workshop.cloud.fc.cold_starts(target) <= 4


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[list[int]]:
    """Check that what is done inside leaves no process, file, thread or folder; yields a list for process numbers."""
    pids: list[int] = []
    threads, files, folders = set(threading.enumerate()), open_files(), temporary_folders()
    yield pids
    assert [pid for pid in pids if exists(pid)] == []
    assert [thread.name for thread in threading.enumerate() if thread not in threads] == []
    assert open_files() == files
    assert temporary_folders() - folders == set()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0  # noqa: PTH208 - numbers, not paths


def temporary_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("localcloud-code-*"))


def test_a_cloud_that_stops_leaves_nothing_behind_whatever_its_functions_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))  # other tests have theirs at the same time
    with nothing_left_behind() as pids:
        waits = []
        with LocalCloud(skip_waiting=True) as cloud:
            workshop = Workshop(cloud, tmp_path)
            idle = workshop.deploy(COUNTING, "idle")
            waiting = workshop.deploy(WAITING, "waiting", timeout=600)
            stuck = workshop.deploy("def handler(event, context):\n    time.sleep(3600)", "stuck", timeout=7200)
            queued = workshop.deploy("def handler(event, context):\n    1 / 0", "queued", max_retry_attempts=8)
            workshop.answer(idle)
            with cloud.timeline.busy():
                waits += [workshop.in_background(lambda: workshop.invoke(waiting, b"1"))]
                waits += [workshop.in_background(lambda: workshop.invoke(stuck))]
                workshop.signed("began-1")
                until(lambda: len(cloud.fc.instances()) == 3, "not started")
                workshop.queue(queued)
                workshop.deploy(COUNTING, "idle")
                pids += [instance.pid for instance in cloud.fc.instances()]
        for each in waits:
            assert "Process exited unexpectedly" in error_of(each.result(BOUND))["errorMessage"]
        del waits, each
    assert len(pids) >= 2


def test_instances_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """A test run that is killed must not leave instances behind, be they at work or frozen."""
    source = tmp_path / "run.py"
    source.write_text(
        f"""
import pathlib, os, threading, time
from tests.localcloud.server import LocalCloud
from tests.loopback.workshop import Workshop, until
folder = pathlib.Path({str(tmp_path)!r})
with LocalCloud() as cloud:
    workshop = Workshop(cloud, folder)
    idle = workshop.deploy("def handler(event, context):\\n    return 1", "idle")
    workshop.answer(idle)
    stuck = workshop.deploy("def handler(event, context):\\n    time.sleep(3600)", "stuck", timeout=7200)
    threading.Thread(target=workshop.invoke, args=(stuck,), daemon=True).start()
    until(lambda: any(each.at_work for each in cloud.fc.instances(stuck)), "it does not work")
    (folder / "pids.new").write_text(" ".join(str(each.pid) for each in cloud.fc.instances()))
    (folder / "pids.new").rename(folder / "pids")
    time.sleep({BOUND})
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, str(source)], env=environment) as run:  # noqa: S603 - this very test's code
        try:
            until((tmp_path / "pids").exists, "no instances")
        finally:
            run.kill()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text(encoding="ascii").split()]
    assert len(pids) == 2
    until(lambda: not any(exists(pid) and not _is_zombie(pid) for pid in pids), "instances live on")


def test_nothing_runs_after_the_end(tmp_path: Path) -> None:
    with LocalCloud() as cloud:
        target = Workshop(cloud, tmp_path).deploy(COUNTING)
    with pytest.raises(ApiError, match="404 FunctionNotFound"):
        cloud.fc.invoke(target, b"")

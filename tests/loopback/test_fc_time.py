"""Time inside instances is the cloud's: it can be slept through in no time, and nobody who runs sees it jump."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.loopback.workshop import BOUND, Workshop, error_of, until

ALLOW = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
HOUR = timedelta(hours=1)

CLOCKS = """
    import datetime, json
    from datetime import datetime as imported_before

    def handler(event, context):
        now = {
            "time": time.time(),
            "time_ns": time.time_ns() / 1e9,
            "clock_gettime": time.clock_gettime(time.CLOCK_REALTIME),
            "clock_gettime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
            "gmtime": time.mktime(time.gmtime()) - time.timezone,
            "localtime": time.mktime(time.localtime()),
            "strftime": time.mktime(time.strptime(time.strftime("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S")),
            "ctime": time.mktime(time.strptime(time.ctime())),
            "asctime": time.mktime(time.strptime(time.asctime())),
            "now": datetime.datetime.now().timestamp(),
            "now in a zone": datetime.datetime.now(datetime.timezone.utc).timestamp(),
            "utcnow": datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp(),
            "today": datetime.datetime.today().timestamp(),
            "imported before": imported_before.now().timestamp(),
        }
        assert type(datetime.datetime.now()) is datetime.datetime
        assert datetime.date.today() == datetime.datetime.now().date()
        return now
    """

BUSY_FOR_A_WHILE = """
    def handler(event, context):
        began = time.monotonic()
        while time.monotonic() - began < 0.2:
            pass
    """


def test_every_clock_of_an_instance_is_the_clouds(workshop: Workshop) -> None:
    target = workshop.deploy("import warnings\nwarnings.simplefilter('ignore')\n" + CLOCKS.replace("\n    ", "\n"))
    for shift in (0.0, 12345.0, -2 * 12345.0):
        workshop.cloud.clock.shift(shift)
        before = workshop.cloud.clock.now().timestamp()
        clocks = workshop.answer(target)
        after = workshop.cloud.clock.now().timestamp()
        outside = {name: told for name, told in clocks.items() if not before - 1 <= told <= after}
        assert outside == {}


def test_monotonic_time_stays_real(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        def handler(event, context):
            began = time.monotonic()
            time.sleep(3600)
            return time.monotonic() - began
        """,
        timeout=7200,
    )
    assert workshop.answer(target) < BOUND


def test_a_sleep_of_an_hour_takes_no_time_and_is_an_hour_to_the_function(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        def handler(event, context):
            began = time.time()
            time.sleep(3600)
            return time.time() - began
        """,
        timeout=7200,
    )
    began = workshop.cloud.clock.now()
    slept = workshop.answer(target)
    assert 3600 <= slept < 3600 + BOUND
    assert workshop.cloud.clock.now() - began >= HOUR


def test_threads_that_sleep_wake_in_their_order(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import threading

        def handler(event, context):
            woken, lock = [], threading.Lock()

            def sleep(seconds):
                time.sleep(seconds)
                with lock:
                    woken.append([seconds, round(time.time() - began)])

            began = time.time()
            threads = [threading.Thread(target=sleep, args=(seconds,)) for seconds in (300, 100, 200, 400)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return woken
        """,
        timeout=600,
    )
    assert workshop.answer(target) == [[100, 100], [200, 200], [300, 300], [400, 400]]


def test_a_thread_that_works_keeps_time_from_jumping(workshop: Workshop) -> None:
    """One thread sleeps for an hour, the other is at work for a while: it must not see the hour go by."""
    target = workshop.deploy(
        """
        import threading

        def handler(event, context):
            sleeper = threading.Thread(target=time.sleep, args=(3600,))
            sleeper.start()
            began, real, rounds = time.time(), time.monotonic(), 0
            while time.monotonic() - real < 0.2:
                rounds += 1
            worked = time.time() - began
            sleeper.join()
            return [worked, time.time() - began]
        """,
        timeout=7200,
    )
    worked, all_in_all = workshop.answer(target)
    assert worked < BOUND
    assert all_in_all >= 3600


def test_an_instance_at_work_keeps_the_others_asleep(workshop: Workshop) -> None:
    sleeper = workshop.deploy("def handler(event, context):\n    time.sleep(3600)", "sleeper", timeout=7200)
    worker = workshop.deploy(
        """
        def handler(event, context):
            began, real = time.time(), time.monotonic()
            (SIGNALS / "working").touch()
            while time.monotonic() - real < 0.2:
                pass
            return time.time() - began
        """,
        "worker",
    )
    with workshop.cloud.timeline.busy():
        working = workshop.in_background(lambda: workshop.answer(worker))
        workshop.signed("working")
    sleeping = workshop.in_background(lambda: workshop.invoke(sleeper))
    assert working.result(BOUND) < BOUND
    assert sleeping.result(BOUND).error_type is None


def test_a_call_that_is_answered_late_keeps_time_from_jumping(workshop: Workshop) -> None:
    """Another thread sleeps meanwhile; each call takes a fifth of a real second, and must seem to take little more."""
    workshop.cloud.fc.add_role("reader", ALLOW)
    workshop.cloud.faults.arm(Fault("ListSecrets", "latency", seconds=0.2, count=3))
    workshop.require_packages()
    target = workshop.deploy(
        """
        import threading
        from alibabacloud_kms20160120 import models
        from alibabacloud_kms20160120.client import Client
        from alibabacloud_tea_openapi.models import Config

        def handler(event, context):
            who = context.credentials
            config = Config(
                endpoint=event.decode(), protocol="HTTP", region_id="cn-hangzhou", access_key_id=who.access_key_id,
                access_key_secret=who.access_key_secret, security_token=who.security_token,
            )
            client = Client(config)
            began, took = time.time(), []
            sleeper = threading.Thread(target=time.sleep, args=(3600,))
            sleeper.start()
            for _ in range(3):
                client.list_secrets(models.ListSecretsRequest())
                took.append(time.time() - began)
            sleeper.join()
            return [took, time.time() - began]
        """,
        timeout=7200,
        role="reader",
        environment={"PYTHONPATH": "/code/python"},
    )
    took, all_in_all = workshop.answer(target, workshop.cloud.endpoint.encode())
    assert took[-1] >= 0.6
    assert took[-1] < BOUND
    assert all_in_all >= 3600
    assert workshop.cloud.calls.count("ListSecrets", fault="latency", status=200) == 3


def test_many_short_sleeps_are_as_long_as_they_say(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        def handler(event, context):
            began = time.time()
            for _ in range(50):
                time.sleep(60)
            return time.time() - began
        """,
        timeout=7200,
    )
    assert 3000 <= workshop.answer(target) < 3000 + BOUND


@pytest.mark.parametrize(
    ("seconds", "error"), [("-1", "ValueError"), ("None", "TypeError"), ("'1'", "TypeError"), ("1e12", "OverflowError")]
)
def test_what_is_no_length_of_a_sleep_is_refused(workshop: Workshop, seconds: str, error: str) -> None:
    target = workshop.deploy(f"def handler(event, context):\n    time.sleep({seconds})")
    assert error_of(workshop.invoke(target))["errorType"] == error


def test_a_forked_process_sleeps_in_real_time(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import os

        def handler(event, context):
            child = os.fork()
            if not child:
                time.sleep(0.01)
                os._exit(7)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        """
    )
    assert workshop.answer(target) == 7


def test_a_function_that_sleeps_too_long_is_terminated_at_its_timeout(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    time.sleep(100000)", timeout=600)
    began = workshop.cloud.clock.now()
    result = workshop.invoke(target)
    passed = workshop.cloud.clock.now() - began
    assert error_of(result) == {"errorMessage": "Function time out after 600 seconds"}
    assert timedelta(seconds=600) <= passed < timedelta(seconds=600 + BOUND)
    log = result.log.decode()
    assert "Current thread" in log
    assert 'index.py", line 4 in handler' in log
    assert workshop.cloud.fc.instances() == []


def test_a_function_that_is_busy_too_long_is_terminated_in_real_time(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    while True:\n        pass", timeout=1)
    result = workshop.invoke(target)
    assert error_of(result) == {"errorMessage": "Function time out after 1 seconds"}
    assert re.search(r'index\.py", line [45] in handler', result.log.decode())


def test_a_function_that_ignores_sigterm_is_killed(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import signal

        def handler(event, context):
            signal.signal(signal.SIGTERM, lambda *_: print("not yet", flush=True))
            while True:
                time.sleep(1000)
        """,
        timeout=60,
    )
    result = workshop.invoke(target)
    assert error_of(result) == {"errorMessage": "Function time out after 60 seconds"}
    assert "not yet" in result.log.decode()
    assert workshop.cloud.fc.instances() == []


@pytest.mark.parametrize("end", ["raise", "return 'late'"])
def test_after_sigterm_there_is_time_to_clean_up_and_none_to_answer(workshop: Workshop, end: str) -> None:
    target = workshop.deploy(
        f"""
        import signal

        def stop(*_):
            raise RuntimeError("stopped")

        def handler(event, context):
            signal.signal(signal.SIGTERM, stop)
            try:
                time.sleep(1000)
            except RuntimeError:
                print("cleaned up")
                {end}
        """,
        timeout=60,
    )
    result = workshop.invoke(target)
    assert error_of(result) == {"errorMessage": "Function time out after 60 seconds"}
    assert "cleaned up" in result.log.decode()
    assert workshop.cloud.fc.instances() == []


def test_what_runs_on_in_the_background_is_frozen_between_requests(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import threading
        BEATS = []

        def beat():
            while True:
                BEATS.append(time.time())
                time.sleep(100)

        def handler(event, context):
            if event == b"begin":
                threading.Thread(target=beat, daemon=True).start()
            time.sleep(float(event) if event.isdigit() else 1)
            return len(BEATS)
        """,
        timeout=1000,
    )
    assert workshop.answer(target, b"begin") == 1
    workshop.cloud.clock.shift(10 * 3600)
    workshop.settle()
    assert workshop.answer(target, b"10") == 2
    assert workshop.answer(target, b"350") in (5, 6)


def test_a_child_process_does_not_work_between_requests(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import subprocess, sys
        BEATS = SIGNALS / "beats"
        CHILD = "import sys, time\\nwhile True:\\n    open(sys.argv[1], 'a').write('x')\\n    time.sleep(0.001)"

        def beats():
            return BEATS.stat().st_size if BEATS.exists() else 0

        def handler(event, context):
            found = beats()
            if not found:
                subprocess.Popen([sys.executable, "-c", CHILD, str(BEATS)])
            while beats() < found + 10:
                pass
            return "beating"
        """
    )
    other = workshop.deploy(BUSY_FOR_A_WHILE, "other")
    assert workshop.invoke(target).payload == b"beating"
    beats = workshop.signals / "beats"
    found = beats.stat().st_size
    workshop.answer(other)
    assert beats.stat().st_size == found
    assert workshop.invoke(target).payload == b"beating"


def test_a_background_thread_does_not_work_between_requests(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import threading
        BEATS = []

        def beat():
            while True:
                BEATS.append(1)
                threading.Event().wait(0.001)

        def handler(event, context):
            found = len(BEATS)
            if not found:
                threading.Thread(target=beat, daemon=True).start()
            while len(BEATS) < found + 10:
                pass
            return [found, len(BEATS)]
        """
    )
    other = workshop.deploy(BUSY_FOR_A_WHILE, "other")
    _, left = workshop.answer(target)
    workshop.answer(other)
    found, beats = workshop.answer(target)
    assert found - left < 100
    assert beats >= found + 10


def test_without_skipping_a_sleep_takes_as_long_as_it_says_and_follows_a_shift(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    patient = Workshop(cloud, tmp_path)
    target = patient.deploy(
        """
        def handler(event, context):
            began, real = time.time(), time.monotonic()
            time.sleep(0.2)
            (SIGNALS / "asleep").touch()
            at_least = time.monotonic() - real
            time.sleep(3600)
            return [at_least, time.time() - began]
        """,
        timeout=86400,
    )
    answer = patient.in_background(lambda: patient.answer(target))
    patient.signed("asleep")
    until(lambda: "1 waiting" in cloud.timeline.pending(), "nobody waits")
    while not answer.done():
        cloud.clock.shift(600)
        time.sleep(0.01)
    at_least, slept = answer.result()
    assert at_least >= 0.2
    assert slept >= 3600


def test_logged_times_are_the_clouds(workshop: Workshop) -> None:
    workshop.cloud.clock.shift(365 * 86400)
    target = workshop.deploy("import logging\ndef handler(event, context):\n    logging.warning('here')")
    line = workshop.invoke(target).log.decode().splitlines()[1]
    logged = datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(workshop.cloud.clock.now() - logged) < timedelta(seconds=BOUND)


def test_json_of_a_sleeping_function_is_whole_when_it_is_large(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    time.sleep(5)\n    return event * 2", timeout=60)
    event = json.dumps(["x" * 1000] * 2000).encode()
    assert workshop.invoke(target, event).payload == event * 2

"""What Function Compute is counted on for."""

from __future__ import annotations

import json

from tests.conformance.bench import Bench
from tests.conformance.catalogue import behaviour
from tests.conformance.functions import FAIL
from tests.conformance.verdicts import expect, expect_refusal

_LARGEST_ASYNC = 128 * 1024  # bytes


@behaviour("Function Compute", "A function's answer comes back as it is")
def synchronous_calls(bench: Bench) -> None:
    answer = bench.function.invoke(b"\x00hello")
    expect(answer.status_code == 200, f"status {answer.status_code}")
    expect(answer.body.read() == b"\x00hello", "another answer")


@behaviour("Function Compute", "That a function raised is told by a header, with status 200")
def function_errors(bench: Bench) -> None:
    answer = bench.function.invoke(FAIL)
    error = answer.headers.get("x-fc-error-type")
    expect((answer.status_code, error) == (200, "UnhandledInvocationError"), f"status {answer.status_code}, {error}")
    said = json.loads(answer.body.read())
    expect((said.get("errorType"), said.get("errorMessage")) == ("ValueError", "asked to fail"), "another error")


@behaviour("Function Compute", "An asynchronous call is accepted with 202 and no body, and becomes a task that ends")
def asynchronous_calls(bench: Bench) -> None:
    bench.function.keep_tasks()
    task_id = bench.function.new_id()
    answer = bench.function.queue(task_id)
    expect((answer.status_code, answer.body.read()) == (202, b""), f"status {answer.status_code}")
    ended = bench.eventually(lambda: bench.function.state(task_id) == "Succeeded")
    expect(ended, "the task has not succeeded")


@behaviour("Function Compute", "A task id is accepted once, and then refused with 409")
def task_ids_are_used_once(bench: Bench) -> None:
    bench.function.keep_tasks()
    task_id = bench.function.new_id()
    bench.function.queue(task_id)
    seen = bench.function.answer_to_again(task_id)
    expect(seen.startswith("409 "), seen)


@behaviour("Function Compute", "A task id may have 128 letters, digits, hyphens and underscores, and no dot")
def forms_of_task_ids(bench: Bench) -> None:
    bench.function.keep_tasks()
    longest = f"{bench.function.new_id()}_{'x' * 128}"[:128]
    expect(bench.function.queue(longest).status_code == 202, "the longest is refused")
    expect_refusal(lambda: bench.function.queue(f"{bench.function.new_id()}.x"))
    expect_refusal(lambda: bench.function.queue(longest + "x"))


@behaviour("Function Compute", "An unknown function is not found")
def unknown_functions(bench: Bench) -> None:
    name = f"{bench.function.name}-nowhere"
    expect_refusal(lambda: bench.function.invoke(name=name), "404 FunctionNotFound")


@behaviour("Function Compute", "An asynchronous event of more than 128 KB is refused")
def large_events(bench: Bench) -> None:
    event = b"x" * (_LARGEST_ASYNC + 1)
    expect_refusal(lambda: bench.function.queue(bench.function.new_id(), event))

"""The runtime's contract, seen from a function: what it is given, and what becomes of what it gives back."""

from __future__ import annotations

import json
import re

import pytest

from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.runtime import KEPT
from tests.localcloud.server import ACCOUNT_ID, FC_REGION
from tests.loopback.workshop import Workshop, error_of

RUNTIMES = pytest.mark.parametrize("runtime", ["python3.10", "python3.12"])
ALLOW = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ("event", b"\x00\xffraw"),
        ("event.__class__.__name__", b"bytes"),
        ("'text \\u00e9'", "text é".encode()),
        ("{'a': [1, None]}", b'{"a": [1, null]}'),
        ("None", b"null"),
        ("7", b"7"),
    ],
)
def test_what_a_handler_returns_goes_back_as_it_is_or_as_json(
    workshop: Workshop, expression: str, payload: bytes
) -> None:
    target = workshop.deploy(f"def handler(event, context):\n    return {expression}")
    result = workshop.invoke(target, b"\x00\xffraw")
    assert (result.payload, result.error_type) == (payload, None)


def test_what_json_cannot_say_is_a_function_error(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return {1, 2}")
    assert error_of(workshop.invoke(target))["errorType"] == "TypeError"


def test_an_exception_comes_back_in_the_documented_form(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        def handler(event, context):
            raise KeyError('something is wrong')
        """
    )
    body = error_of(workshop.invoke(target))
    assert (body["errorMessage"], body["errorType"]) == ("'something is wrong'", "KeyError")
    ((file, line, function, source),) = body["stackTrace"]
    assert re.fullmatch(r'File ".*/code/index\.py"', file)
    assert (line, function) == ("line 5", "in handler")
    assert source == "raise KeyError('something is wrong')"
    assert list(body) == ["errorMessage", "errorType", "stackTrace"]


def test_an_instance_outlives_an_exception(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    return 1 / int(event)")
    pid = error_of(workshop.invoke(target, b"0")) and workshop.the_instance(target).pid
    assert workshop.answer(target, b"2") == 0.5
    assert workshop.the_instance(target).pid == pid


def test_a_failure_is_logged_with_the_raw_event(workshop: Workshop) -> None:
    target = workshop.deploy("def handler(event, context):\n    raise ValueError('oh')")
    log = workshop.invoke(target, b"the event").log.decode()
    assert "request event: b'the event'\n" in log
    assert "ValueError: oh" in log
    assert "runtime.py" not in log


@pytest.mark.parametrize(
    "exit_",
    ["raise SystemExit(0)", "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "raise KeyboardInterrupt"],
)
def test_an_exit_is_a_process_that_exited(workshop: Workshop, exit_: str) -> None:
    target = workshop.deploy(f"def handler(event, context):\n    {exit_}")
    message = error_of(workshop.invoke(target))["errorMessage"]
    assert re.fullmatch(
        r"Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: \d+MB\)", message
    )
    assert workshop.cloud.fc.instances() == []


@pytest.mark.parametrize("handler", ["deep/inside.go", "deep.inside.go"])
def test_a_handler_is_a_path_or_a_dotted_name(workshop: Workshop, handler: str) -> None:
    folder = workshop.folder / "f" / "deep"
    folder.mkdir(parents=True)
    (folder / "inside.py").write_text("def go(event, context):\n    return __name__")
    target = workshop.deploy("", handler=handler)
    assert workshop.invoke(target).payload == b"deep.inside"


@pytest.mark.parametrize(("handler", "error"), [("nowhere.go", "ModuleNotFoundError"), ("index.go", "AttributeError")])
def test_a_handler_that_is_not_there_is_a_function_error(workshop: Workshop, handler: str, error: str) -> None:
    assert error_of(workshop.invoke(workshop.deploy("", handler=handler)))["errorType"] == error


def test_a_module_that_does_not_compile_is_a_function_error(workshop: Workshop) -> None:
    assert error_of(workshop.invoke(workshop.deploy("def handler(:")))["errorType"] == "SyntaxError"


CONTEXT = """
    def plain(value):
        if value is None or isinstance(value, (str, int)):
            return value
        return {name: plain(inner) for name, inner in vars(value).items()}

    def handler(event, context):
        return plain(context)
    """


def test_the_context_of_python_3_10_carries_credentials_and_a_service(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", ALLOW)
    target = workshop.deploy(CONTEXT, role=f"acs:ram::{ACCOUNT_ID}:role/worker", timeout=30, memory=256, service="svc")
    first, second = workshop.answer(target), workshop.answer(target)
    key = workshop.cloud.ram.find(first["credentials"]["access_key_id"])
    assert key is not None
    assert (key.role.name, key.credentials.security_token) == ("worker", first["credentials"]["security_token"])
    assert key.credentials.access_key_secret == first["credentials"]["access_key_secret"]
    assert first["credentials"] != second["credentials"]
    assert first["request_id"] != second["request_id"]
    assert first | {"credentials": None, "request_id": None} == {
        "account_id": ACCOUNT_ID,
        "request_id": None,
        "credentials": None,
        "function": {"name": "f", "handler": "index.handler", "memory": 256, "timeout": 30},
        "service": {"name": "svc", "log_project": "", "log_store": "", "qualifier": "LATEST", "version_id": ""},
        "region": FC_REGION,
        "tracing": {"span_context": None, "jaeger_endpoint": None, "base64_baggages": ""},
        "logger": None,
        "retry_count": 0,
    }


def test_the_context_of_python_3_12_has_no_credentials(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", ALLOW)
    target = workshop.deploy(CONTEXT, role="worker", runtime="python3.12")
    context = workshop.answer(target)
    assert context | {"request_id": None} == {
        "account_id": ACCOUNT_ID,
        "request_id": None,
        "function": {"name": "f", "handler": "index.handler", "memory": 512, "timeout": 60}
        | {"version_id": "", "qualifier": "LATEST"},
        "region": FC_REGION,
        "log_project": "",
        "log_store": "",
        "logger": None,
    }  # fmt: skip


ENVIRONMENT = """
    import os

    def handler(event, context):
        return dict(os.environ)
    """


def test_python_3_12_finds_fresh_credentials_in_the_environment(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", ALLOW)
    target = workshop.deploy(ENVIRONMENT, role="worker", runtime="python3.12")
    first, second = workshop.answer(target), workshop.answer(target)
    key = workshop.cloud.ram.find(first["ALIBABA_CLOUD_ACCESS_KEY_ID"])
    assert key is not None
    assert key.credentials.access_key_secret == first["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    assert key.credentials.security_token == first["ALIBABA_CLOUD_SECURITY_TOKEN"]
    assert second["ALIBABA_CLOUD_ACCESS_KEY_ID"] != first["ALIBABA_CLOUD_ACCESS_KEY_ID"]


def test_python_3_10_finds_none_there(workshop: Workshop) -> None:
    workshop.cloud.fc.add_role("worker", ALLOW)
    environment = workshop.answer(workshop.deploy(ENVIRONMENT, role="worker"))
    assert not [name for name in environment if name.startswith("ALIBABA_CLOUD")]


@RUNTIMES
def test_a_function_without_a_role_has_no_credentials(workshop: Workshop, runtime: str) -> None:
    environment = workshop.answer(workshop.deploy(ENVIRONMENT, runtime=runtime))
    assert not [name for name in environment if name.startswith("ALIBABA_CLOUD")]


def test_the_environment_is_the_functions_own_and_what_is_documented(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_TEST", "is not the function's")
    environment = workshop.answer(workshop.deploy(ENVIRONMENT, environment={"MINE": "yes", "PATH": "/mine"}))
    assert (environment["MINE"], environment["PATH"]) == ("yes", "/mine")
    assert "OF_THE_TEST" not in environment
    ours = {name for name in environment if name.startswith("FC_")}
    assert "FC_FUNC_CODE_PATH" in ours
    assert ours <= KEPT
    assert environment["FC_FUNCTION_NAME"] == "f"
    assert environment["FC_ACCOUNT_ID"] == ACCOUNT_ID
    assert environment["TZ"] == "UTC"


def test_an_instance_finds_its_own_code_and_nothing_of_the_tests(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import sys, os, importlib.util

        def handler(event, context):
            found = [name for name in ("tests", "shared", "msgspec", "pytest") if importlib.util.find_spec(name)]
            loaded = [name for name in sys.modules if name.startswith("tests")]
            return [sys.path[0] == os.environ["FC_FUNC_CODE_PATH"] == os.getcwd(), found, loaded, sys.argv[1:]]
        """
    )
    assert workshop.answer(target) == [True, [], [], []]


def test_a_function_may_have_modules_named_like_those_of_the_runtime(workshop: Workshop) -> None:
    folder = workshop.folder / "f"
    folder.mkdir()
    (folder / "tests.py").write_text("OWN = 'tests'")
    (folder / "frames.py").write_text("OWN = 'frames'")
    target = workshop.deploy("import tests, frames\ndef handler(event, context):\n    return [tests.OWN, frames.OWN]")
    assert workshop.answer(target) == ["tests", "frames"]


def test_what_is_logged_is_a_line_with_the_time_and_the_request(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import logging

        def handler(event, context):
            logging.getLogger().debug("unheard")
            logging.getLogger("any").info("heard %s", 1)
            logging.warning("x" * 40000)
        """
    )
    result = workshop.invoke(target)
    start, heard, long, end = result.log.decode().splitlines()
    assert (start, end) == (
        f"FC Invoke Start RequestId: {result.request_id}",
        f"FC Invoke End RequestId: {result.request_id}",
    )
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {result.request_id} \[INFO\] heard 1", heard)
    assert len(long) == 32 * 1024


def test_output_is_kept_by_request(workshop: Workshop) -> None:
    target = workshop.deploy(
        """
        import os, sys

        def handler(event, context):
            print("printed", event)
            sys.stderr.write("to stderr\\n")
            os.write(1, b"written without Python\\n")
            os.system("echo from a child")
        """
    )
    logs = [workshop.invoke(target, event).log.decode() for event in (b"1", b"2")]
    for number, log in zip("12", logs, strict=True):
        assert log.splitlines()[1:-1] == [
            f"printed b'{number}'", "to stderr", "written without Python", "from a child",
        ]  # fmt: skip
    assert [record.text for record in workshop.cloud.fc.logs("f")] == logs


INITIALIZED = """
    import os, pathlib
    STATE = {"initialized": 0}

    def initialize(context):
        print("initializing", sorted(vars(context))[:1])
        STATE["initialized"] += 1
        if (SIGNALS / "broken").exists():
            raise ValueError("not now")

    def handler(event, context):
        return STATE
    """


def test_the_initializer_runs_once_before_the_first_request(workshop: Workshop) -> None:
    target = workshop.deploy(INITIALIZED, initializer="index.initialize")
    first = workshop.invoke(target)
    assert json.loads(first.payload) == {"initialized": 1}
    assert first.log.decode().splitlines()[:2] == [
        f"FC Initialize Start RequestId: {first.request_id}", "initializing ['account_id']",
    ]  # fmt: skip
    second = workshop.invoke(target)
    assert json.loads(second.payload) == {"initialized": 1}
    assert b"Initialize" not in second.log
    assert workshop.cloud.fc.cold_starts(target) == 1


def test_after_an_initializer_failed_a_new_instance_tries_again(workshop: Workshop) -> None:
    target = workshop.deploy(INITIALIZED, initializer="index.initialize")
    workshop.sign("broken")
    assert error_of(workshop.invoke(target))["errorMessage"] == "not now"
    assert workshop.cloud.fc.instances(target) == []
    (workshop.signals / "broken").unlink()
    assert workshop.answer(target) == {"initialized": 1}
    assert workshop.cloud.fc.cold_starts(target) == 2


def test_an_initializer_has_a_time_limit_of_its_own(workshop: Workshop) -> None:
    target = workshop.deploy(
        "def initialize(context):\n    time.sleep(100)\ndef handler(event, context):\n    pass",
        initializer="index.initialize",
        initializer_timeout=30,
    )
    assert error_of(workshop.invoke(target)) == {"errorMessage": "Function time out after 30 seconds"}


def test_an_unknown_function_or_qualifier_is_not_found(workshop: Workshop) -> None:
    workshop.deploy("def handler(event, context):\n    return 1", qualifiers=("live",))
    assert workshop.answer(Target("f", "live")) == 1
    for target in (Target("g"), Target("f", service="s"), Target("f", "other")):
        with pytest.raises(Exception, match="404 FunctionNotFound"):
            workshop.invoke(target)

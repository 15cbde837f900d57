"""The first answers of an instance come in several threads at once, and nothing that they need is made only then.

msgspec makes what it knows of a type when it is first used. Two threads that do so together end the process with a
segmentation fault, in one of some dozen cold starts with a batch; the proof of the kills met it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
FORGET_ANNOTATIONS = """
import msgspec
from shared import cloudsso, kms

for module in (cloudsso, kms):
    for shape in list(vars(module).values()):
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__module__ == module.__name__:
            shape.__annotations__ = {field: "NoSuchType" for field in shape.__struct_fields__}
            msgspec.json.Decoder(shape)  # what is looked up only now does not find its types any more
            print(shape.__name__)
"""
CROWD = """
import sys, threading, types
import msgspec
from shared import openapi

sys.setswitchinterval(1e-6)
SOURCE = '''
from __future__ import annotations
import msgspec
class Part(msgspec.Struct):
    name: str
    tags: list[str] = []
class Whole(msgspec.Struct):
    parts: list[Part]
'''
for number in range(200):
    module = types.ModuleType(f"shapes{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE, module.__dict__)
    shape = openapi.answer_shape(module.Whole)
    together = threading.Barrier(8)
    def first_answer():
        together.wait()
        msgspec.convert({"parts": [{"name": "x"}]}, shape)
    threads = [threading.Thread(target=first_answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_what_msgspec_knows_of_an_answers_shape_was_made_when_its_module_was_imported() -> None:
    ended = python(FORGET_ANNOTATIONS)
    assert ended.returncode == 0, ended.stderr
    assert "_UsersPage" in ended.stdout
    assert "_WrittenAnswer" in ended.stdout


def test_a_shape_that_is_not_prepared_is_noticed() -> None:
    class Unprepared(msgspec.Struct):
        name: str

    Unprepared.__annotations__ = {"name": "NoSuchType"}
    with pytest.raises(NameError):
        msgspec.json.Decoder(Unprepared)


def test_a_crowd_of_threads_gets_the_first_answers_of_a_prepared_shape() -> None:
    ended = python(CROWD)
    assert ended.returncode == 0, ended.stderr


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which may crash."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter

"""What is put off is there when it is wanted, and nothing else is different.

Whatever is imported stays so, so most of this looks at interpreters of their own.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from shared import deferral
from shared.deferral import DEFERRED, GATHERED, StandIn, StandInModule, active

ROOT = Path(__file__).parents[2]
SPECIAL_FORMS = {"NotRequired", "Required"}  # which msgspec compares with what a typed dictionary has
SDKS = ("alibabacloud_cloudsso20210515.client", "alibabacloud_kms20160120.client", "alibabacloud_fc20230330.client")


def told_by(code: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Run code in an interpreter of its own; return the JSON that it prints."""
    done = subprocess.run(  # noqa: S603 - this file's own
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ------------------------------------------------------------------------------------------ the lists and the SDKs


def test_every_module_that_is_put_off_is_one_that_would_be_imported() -> None:
    """One that is no longer imported is to be taken off the list."""
    imported = told_by(
        f"import json, sys, shared.bootstrap, shared.page, {', '.join(SDKS)}\nprint(json.dumps(list(sys.modules)))"
    )
    assert set(DEFERRED) - set(imported) == set()
    assert set(GATHERED) - set(imported) == set()


@pytest.mark.parametrize(("module", "name"), sorted((module, name) for module in DEFERRED for name in DEFERRED[module]))
def test_what_has_a_stand_in_is_a_class_or_a_function(module: str, name: str) -> None:
    """Not an exception, since a stand-in cannot be caught; nor a value, since it cannot be reckoned with."""
    real = getattr(importlib.import_module(module), name)
    assert inspect.isroutine(real) or inspect.isclass(real) or name in SPECIAL_FORMS
    assert not (inspect.isclass(real) and issubclass(real, BaseException))


def test_nothing_that_is_put_off_is_imported_by_either_function() -> None:
    code = """
        import json, sys
        from functions.{function} import index
        from shared import deferral
        index_modules = [name for name in sys.modules if name in deferral.DEFERRED]
        gathered = [name for name in sys.modules if name.rpartition(".")[0] in deferral.GATHERED]
        left = [name for name, module in sys.modules.items() if isinstance(module, deferral.StandInModule)]
        print(json.dumps([index_modules, gathered, left, [type(each).__name__ for each in sys.meta_path]]))
    """
    for function in ("reset_password", "scan_expiring"):
        imported, gathered, left, finders = told_by(code.format(function=function))
        assert imported == []
        assert gathered == []
        assert [name for name in left if not name.startswith("requests.packages.")] == []
        assert "_Finder" not in finders


@pytest.mark.parametrize("package", sorted(GATHERED))
def test_a_gathered_package_offers_the_names_that_it_always_offers_and_the_same_things_by_them(package: str) -> None:
    code = """
        import importlib, json
        from shared import deferral
        {active}
            models = importlib.import_module({package!r})
        offered = [(name, getattr(models, name)) for name in dir(models)]
        print(json.dumps([[name, each.__module__, each.__name__] for name, each in offered if isinstance(each, type)]))
    """
    ordinary = told_by(code.format(active="if True:", package=package))
    assert told_by(code.format(active="with deferral.active():", package=package)) == ordinary
    assert len(ordinary) > 100


def test_a_name_that_a_gathered_package_does_not_have_is_refused_as_always() -> None:
    code = """
        import json
        from shared import deferral
        with deferral.active():
            from alibabacloud_kms20160120 import models
        try:
            models.NoSuchRequest
        except AttributeError as error:
            print(json.dumps(str(error)))
    """
    assert told_by(code) == "module 'alibabacloud_kms20160120.models' has no attribute 'NoSuchRequest'"


# ------------------------------------------------------------------------------------------------ stand-ins, used


class Kind:
    """Stands for what the SDK takes from a module."""

    size = 3

    def __class_getitem__(cls, key: object) -> tuple[str, object]:
        return ("of", key)


def function(*args: int, **kwargs: int) -> tuple[Any, ...]:
    return (args, kwargs)


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module that nobody has imported, but that is there to be."""
    module = ModuleType("far_away")
    vars(module).update(Kind=Kind, function=function, other="as always")
    imported = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: module if name == "far_away" else imported(name))
    monkeypatch.setattr(deferral, "_used", set())
    return module


@pytest.fixture
def near(far: ModuleType) -> Iterator[ModuleType]:
    """Return its stand-in."""
    with active({"far_away": frozenset({"Kind", "function"})}, frozenset()):
        stand_in = importlib.__import__("far_away")
    assert isinstance(stand_in, StandInModule)
    yield stand_in
    assert "far_away" not in sys.modules


def test_a_stand_in_is_what_it_stands_for_whatever_is_done_with_it(near: ModuleType) -> None:
    kind, called = near.Kind, near.function
    assert (repr(kind), repr(called)) == ("<far_away.Kind, deferred>", "<far_away.function, deferred>")
    assert isinstance(kind, StandIn)
    assert called(1, two=2) == ((1,), {"two": 2})
    assert isinstance(kind(), Kind)
    assert kind.size == 3
    assert kind["key"] == ("of", "key")
    as_type = cast("type", kind)
    assert isinstance(Kind(), as_type)
    assert not isinstance(3, as_type)
    assert issubclass(Kind, as_type)
    assert (kind | None, None | kind) == (Kind | None, None | Kind)

    class Sub(kind):  # type: ignore[valid-type, misc]  # not known to be a class
        pass

    assert Sub.__mro__ == (Sub, Kind, object)


def test_a_stand_in_can_be_copied(near: ModuleType) -> None:
    assert copy.copy(near.Kind)() is not None


def test_a_name_without_a_stand_in_makes_the_ordinary_import_at_once(near: ModuleType) -> None:
    assert near.other == "as always"
    assert near.Kind is Kind
    with pytest.raises(AttributeError, match="far_away"):
        _ = near.nothing


def test_the_import_system_is_not_told_what_only_the_real_module_knows(near: ModuleType) -> None:
    for name in ("__path__", "__file__", "__all__"):
        with pytest.raises(AttributeError, match="is deferred"):
            getattr(near, name)


# ------------------------------------------------------------------------------------------- what is not as expected


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of modules; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(deferral, "_used", set())
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def written(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def test_an_import_that_fails_with_stand_ins_is_made_without(folder: Path) -> None:
    written(folder, df_value="TIMEOUT = 5", df_user="from df_value import TIMEOUT\nTWICE = TIMEOUT + TIMEOUT")
    with active({"df_value": frozenset({"TIMEOUT"})}, frozenset()):
        user = importlib.__import__("df_user")
    assert user.TWICE == 10
    assert user.__spec__ is not None
    assert user.__spec__.loader is user.__loader__
    assert type(user.__loader__).__name__ == "SourceFileLoader"


def test_what_was_imported_before_an_import_failed_is_not_there_twice(folder: Path) -> None:
    written(
        folder,
        df_value="TIMEOUT = 5",
        df_us__errors="class Failed(Exception): pass",
        df_us__work="from df_us.errors import Failed",
        df_us__late="from df_value import TIMEOUT\nTWICE = TIMEOUT + TIMEOUT",
        df_us__all="from df_us import work, errors\nfrom df_us import late\nfrom df_us.errors import Failed",
    )
    with active({"df_value": frozenset({"TIMEOUT"})}, frozenset()):
        whole = importlib.import_module("df_us.all")
    assert whole.late.TWICE == 10
    assert whole.Failed is whole.work.Failed is whole.errors.Failed
    assert whole.errors is sys.modules["df_us.errors"]


def test_what_fails_without_stand_ins_too_fails_as_always(folder: Path) -> None:
    written(
        folder, df_value="TIMEOUT = 5", df_user="from df_value import TIMEOUT\nraise ZeroDivisionError('as always')"
    )
    with pytest.raises(ZeroDivisionError, match="as always"), active({"df_value": frozenset({"TIMEOUT"})}, frozenset()):
        importlib.__import__("df_user")
    assert "df_user" not in sys.modules
    assert "_Finder" not in [type(each).__name__ for each in sys.meta_path]


@pytest.mark.parametrize(
    "init",
    [
        "from ._part import Part\nTHINGS = [Part]\n",
        "from ._part import Part\nclass More(Part): pass\n",
        "from ._part import Part\nPart.size\n",
        "from ._part import Part as Other\nimport json\n",
        "SIZE = 4\n",
    ],
)
def test_a_package_that_does_more_than_gather_names_is_imported_as_always(folder: Path, init: str) -> None:
    written(folder, df_package___part="class Part:\n    size = 3\n")
    (folder / "df_package" / "__init__.py").write_text(init, encoding="utf-8")
    with active({}, frozenset({"df_package"})):
        package = importlib.__import__("df_package")
    assert "__getattr__" not in vars(package)
    assert all(not isinstance(value, tuple) for name, value in vars(package).items() if not name.startswith("__"))


def test_a_module_that_was_imported_before_stays_as_it_is() -> None:
    with active():
        import json as again  # noqa: PLC0415 - the import is what is tested

        imported = importlib.import_module("asyncio") if "asyncio" in sys.modules else None
    assert again is json
    assert not isinstance(imported, StandInModule)


def test_another_thread_imports_as_always(folder: Path) -> None:
    written(folder, df_threaded="VALUE = 1")
    found: list[ModuleType] = []
    with active({"df_threaded": frozenset()}, frozenset()):
        other = threading.Thread(target=lambda: found.append(importlib.import_module("df_threaded")))
        other.start()
        other.join()
    assert not isinstance(found[0], StandInModule)
    assert found[0].VALUE == 1


def test_many_threads_that_use_a_stand_in_first_together_get_one_module(folder: Path) -> None:
    written(folder, df_once="import time\ntime.sleep(0.05)\nclass Kind: pass", df_user="from df_once import Kind")
    with active({"df_once": frozenset({"Kind"})}, frozenset()):
        user = importlib.__import__("df_user")
    together, made = threading.Barrier(8), []

    def use() -> None:
        together.wait()
        made.append(user.Kind())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {type(each) for each in made} == {sys.modules["df_once"].Kind}
    assert len(made) == 8


def test_the_garbage_collector_works_on_after_the_block_if_it_did_before() -> None:
    code = """
        import gc, json
        from shared import deferral
        seen, frozen = [], gc.get_freeze_count()
        for enabled in (True, False):
            (gc.enable if enabled else gc.disable)()
            with deferral.active():
                seen.append(gc.isenabled())
            seen.append(gc.isenabled())
        print(json.dumps([seen, gc.get_freeze_count() - frozen]))
    """
    assert told_by(code) == [[False, True, False, False], 0]  # Python 3.12 begins with some that are frozen


def test_what_somebody_has_frozen_stays_frozen() -> None:
    code = """
        import gc, json
        from shared import deferral
        gc.freeze()
        before = gc.get_freeze_count()
        with deferral.active():
            pass
        print(json.dumps([before > 0, gc.get_freeze_count() >= before, gc.isenabled()]))
    """
    assert told_by(code) == [True, True, True]

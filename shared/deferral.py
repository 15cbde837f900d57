"""Imports that nobody here uses, put off until somebody does: most of what a cold start would cost.

The SDKs import an asynchronous HTTP stack, a scheduler, WebSockets, RSA, and a module for each of their data types, of
which the synchronous calls of this program touch a few. In a block `with deferral.active():`, in which each function
imports the rest of itself,

* a module of `DEFERRED` is represented by a stand-in, and so is each name listed with it: a class or a function that an
  importer takes and keeps for later. The first use of a stand-in makes the ordinary import and goes to what that
  brought. So the asynchronous calls work; they begin later.
* a package of `GATHERED`, whose `__init__` only gathers names from its submodules, gathers each when it is asked for
  (PEP 562).

After the block nothing is left of this but what importers hold, and packages of their submodules: whoever imports
`aiohttp` then imports it as always. And within it, what is not as expected is imported as always: a name that is not
listed, a package that does more than gather names, and all of it if an exception comes of it. The lists are held to the
installed SDKs by tests/unit/test_deferral.py. docs/decisions/0012-deferred-imports.md says what was measured, and what
else was tried.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, NamedTuple

_NONE: frozenset[str] = frozenset()
_CLIENT = frozenset({"Client"})
# By module, the classes and functions that importers take from it. Of one without names they take the module.
DEFERRED: Mapping[str, frozenset[str]] = {
    # asynchronous calls
    "aiohttp": frozenset({"ClientResponse", "ClientSession"}),
    "asyncio": _NONE,
    # where other programs find credentials; ours come with each invocation
    "alibabacloud_credentials.client": _CLIENT,
    # RSA keys
    "cryptography.hazmat.primitives.asymmetric.padding": _NONE,
    "cryptography.hazmat.primitives.hashes": _NONE,
    "cryptography.hazmat.primitives.serialization": frozenset({"load_pem_private_key"}),
    # a gateway of version 4 signatures, which the KMS client makes and does not ask
    "alibabacloud_darabonba_array.client": _CLIENT,
    "alibabacloud_darabonba_encode_util.encoder": frozenset({"Encoder"}),
    "alibabacloud_darabonba_map.client": _CLIENT,
    "alibabacloud_darabonba_signature_util.signer": frozenset({"Signer"}),
    "alibabacloud_darabonba_string.client": _CLIENT,
    "alibabacloud_endpoint_util.client": _CLIENT,
    "alibabacloud_openapi_util.client": _CLIENT,
    "alibabacloud_tea_util.client": _CLIENT,
    "alibabacloud_tea_xml.client": _CLIENT,
    "Tea.core": frozenset({"TeaCore"}),
    # WebSockets and XML
    "alibabacloud_tea_openapi.websocket_utils": _NONE,
    "darabonba.websocket": frozenset(
        {
            "get_web_socket_enable_reconnect",
            "get_web_socket_handshake_timeout",
            "get_web_socket_max_reconnect_times",
            "get_web_socket_ping_interval",
            "get_web_socket_pong_timeout",
            "get_web_socket_reconnect_interval",
            "get_web_socket_write_timeout",
            "new_websocket_client_and_connect",
        }
    ),
    "xml.etree.ElementTree": _NONE,
    # requests: guessing encodings, international host names, cookies, proxies of the system, its own version
    "calendar": frozenset({"timegm"}),
    "charset_normalizer.api": frozenset({"from_bytes", "from_fp", "from_path", "is_binary"}),
    "charset_normalizer.legacy": frozenset({"detect"}),
    "charset_normalizer.models": frozenset({"CharsetMatch", "CharsetMatches"}),
    "charset_normalizer.utils": frozenset({"set_logging_handler"}),
    "http.cookies": frozenset({"Morsel"}),
    "idna": _NONE,
    "importlib.metadata": frozenset({"version"}),
    "tempfile": frozenset({"TemporaryDirectory"}),
    "urllib.request": frozenset(
        {"getproxies", "getproxies_environment", "parse_http_list", "proxy_bypass", "proxy_bypass_environment"}
    ),
    "zipfile": _NONE,
    # msgspec: typed dictionaries, of which there are none here
    "typing_extensions": frozenset({"NotRequired", "Required", "get_type_hints"}),
    # this program: web pages, which nobody may ask for
    "jinja2": _NONE,
    # this program: events about more than one user, and what somebody may have meant
    "concurrent.futures": frozenset({"ThreadPoolExecutor"}),
    "difflib": _NONE,
}
GATHERED = frozenset(
    {"alibabacloud_cloudsso20210515.models", "alibabacloud_fc20230330.models", "alibabacloud_kms20160120.models"}
)

_used: set[str] = set()  # the modules that somebody used: they are ordinary from then on
_replacing = threading.Lock()


@contextmanager
def active(deferred: Mapping[str, frozenset[str]] = DEFERRED, gathered: frozenset[str] = GATHERED) -> Iterator[None]:
    """Put off, within the block and on this thread, what the two lists name.

    The garbage collector rests meanwhile: nothing that is imported is garbage, and to look costs 3 % of the CPU.
    """
    finder, collects, frozen = _Finder(deferred, gathered), gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        finder.withdraw()
        if collects:
            if not frozen:  # else it would be undone what somebody has frozen
                gc.freeze()  # into the oldest generation with all of it, unlooked at
                gc.unfreeze()
            gc.enable()


class StandIn:
    """A class or a function that is not imported yet.

    It is when the stand-in is called, subscripted, subclassed, united with another type, asked for an attribute, or
    asked whether something is an instance or a subclass of it.
    """

    def __init__(self, module: str, name: str) -> None:
        self.__place = (module, name)

    def __real(self) -> Any:  # noqa: ANN401 - a class or a function of anybody's
        module, name = self.__place
        return getattr(_ordinary(module), name)

    def __repr__(self) -> str:
        return f"<{'.'.join(self.__place)}, deferred>"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as __real
        if name == "_StandIn__place":  # of a copy that is only being made
            raise AttributeError(name)
        return getattr(self.__real(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, D102 - as __real; what it is called for
        return self.__real()(*args, **kwargs)

    def __getitem__(self, key: object) -> Any:  # noqa: ANN401 - as __real
        return self.__real()[key]

    def __or__(self, other: object) -> Any:  # noqa: ANN401 - as __real
        return self.__real() | other

    def __ror__(self, other: object) -> Any:  # noqa: ANN401 - as __real
        return other | self.__real()

    def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
        return (self.__real(),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.__real())

    def __subclasscheck__(self, kind: type) -> bool:
        return issubclass(kind, self.__real())


class StandInModule(ModuleType):
    """A module that is not imported yet: it is when an attribute is asked for that is not listed with it."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as StandIn
        if name.startswith("__"):  # asked for by the import system, which must not have its answer from elsewhere
            message = f"module {self.__name__!r} is deferred and has no {name!r} yet"
            raise AttributeError(message)
        if name in vars(self)["__deferred__"] and self.__name__ not in _used:
            return StandIn(self.__name__, name)
        return getattr(_ordinary(self.__name__), name)


def _ordinary(name: str) -> ModuleType:
    """Import a module as if nothing had ever been put off."""
    with _replacing:
        _used.add(name)
        if isinstance(sys.modules.get(name), StandInModule):
            del sys.modules[name]
    return importlib.import_module(name)


class _Finder:
    """Finds stand-ins, packages that gather names, and, around all, what begins again if something goes wrong."""

    def __init__(self, deferred: Mapping[str, frozenset[str]], gathered: frozenset[str]) -> None:
        self._deferred, self._gathered = deferred, gathered
        self._thread = threading.get_ident()
        self._guarding = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module, or None: as always."""
        if threading.get_ident() != self._thread:
            return None
        if name in self._deferred and name not in _used:
            return ModuleSpec(name, _StandInLoader(self._deferred[name]))  # type: ignore[arg-type]  # importlib.abc would cost 10 ms
        if self._guarding and name not in self._gathered:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _Gatherer(spec.loader) if name in self._gathered else _Guard(spec.loader, self)  # type: ignore[assignment]
        return spec

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Leave alone, within the block, what is imported by what is guarded already."""
        self._guarding = True
        try:
            yield
        finally:
            self._guarding = False

    def give_up(self) -> None:
        """Put nothing off any more."""
        self._thread = -1
        self.withdraw()

    def withdraw(self) -> None:
        """Leave the stand-ins to those who have them, and to nobody else."""
        for name in self._deferred:
            if isinstance(sys.modules.get(name), StandInModule):
                del sys.modules[name]  # it stays an attribute of its package, for importers that say `import a.b`


class _StandInLoader:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def create_module(self, _spec: ModuleSpec) -> None:
        """Have an empty module made."""

    def exec_module(self, module: ModuleType) -> None:
        """Put nothing into it but which names have stand-ins."""
        vars(module)["__deferred__"] = self._names
        module.__class__ = StandInModule


class _Wrapper:
    """Loads a module by its own loader, and is out of sight once it is loaded."""

    def __init__(self, loader: Any) -> None:  # noqa: ANN401 - whatever loads
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the module's own loader makes."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._fill(module)

    def _fill(self, module: ModuleType) -> None:
        raise NotImplementedError


class _Guard(_Wrapper):
    """If a module cannot be imported with stand-ins, imports it without.

    What it needs and was imported stays as it is, or there would be two of it; what failed is not there any more.
    """

    def __init__(self, loader: Any, finder: _Finder) -> None:  # noqa: ANN401 - whatever loads
        super().__init__(loader)
        self._finder = finder

    def _fill(self, module: ModuleType) -> None:
        try:
            with self._finder.guarding():
                self._loader.exec_module(module)
        except Exception:  # noqa: BLE001 - whatever it was: without stand-ins it is the ordinary import's to raise
            self._finder.give_up()
            self._loader.exec_module(module)


class _Gathered(NamedTuple):
    """Where a name is to be gathered from."""

    submodule: str
    name: str


class _Submodule:
    """Stands for a submodule in the one statement that names are taken from it."""

    def __init__(self, name: str) -> None:
        self.__name = name

    def __getattr__(self, name: str) -> _Gathered:
        return _Gathered(self.__name, name)


class _Gatherer(_Wrapper):
    """Notes where a package takes its names from, and takes each when it is asked for."""

    def _fill(self, module: ModuleType) -> None:
        names = vars(module)
        given = dict(names)
        names["__builtins__"] = {**vars(builtins), "__import__": _noting}
        try:
            self._loader.exec_module(module)
            gathered = {name: value for name, value in names.items() if isinstance(value, _Gathered)}
            beside = names.keys() - given.keys() - gathered.keys() - {"__all__", "__builtins__", "annotations"}
        except Exception:  # noqa: BLE001 - whatever it was, the package is not what it is taken for
            gathered, beside = {}, set()
        names.clear()
        names.update(given)
        if beside or not gathered:
            self._loader.exec_module(module)
            return

        def gather(name: str) -> Any:  # noqa: ANN401 - whatever the package offers
            if name not in gathered:
                message = f"module {module.__name__!r} has no attribute {name!r}"
                raise AttributeError(message)
            place = gathered[name]
            value = getattr(importlib.import_module(f"{module.__name__}.{place.submodule}"), place.name)
            names[name] = value
            return value

        names["__getattr__"] = gather
        names["__dir__"] = lambda: sorted({*names, *gathered})
        names["__all__"] = sorted(gathered)


def _noting(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the signature of __import__
    locals: Mapping[str, object] | None = None,  # noqa: A002 - the same
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> Any:  # noqa: ANN401 - the same
    if level == 1 and name and fromlist:  # from .submodule import ...
        return _Submodule(name)
    return __import__(name, globals, locals, fromlist, level)

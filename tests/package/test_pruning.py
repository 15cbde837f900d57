"""What is left out is nobody's: no module imports it, and nothing reads it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from tests.localcloud.fc.code import unpacked
from tests.localcloud.server import KMS_REGION, LocalCloud
from tests.package import for_this_interpreter, pruning
from tests.package.build import LICENSES, PACKAGES, ROOT
from tests.package.distributions import Distribution, installed
from tests.package.running import run

METADATA = {"importlib.metadata", "importlib_metadata", "pkg_resources"}
# Who reads what other distributions say of themselves: whether h2 is installed, which nothing here requires.
OF_OTHERS = {"urllib3"}
# Whose tests.py is no folder of tests, and is deployed: what templates ask with `is`.
NO_TESTS = {PurePosixPath("jinja2/defaults.py")}


@pytest.fixture(scope="module")
def distributions() -> list[Distribution]:
    return installed((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def importers(distribution: Distribution, *words: bytes) -> Iterator[tuple[PurePosixPath, set[str]]]:
    """Yield the deployed modules that have one of these words in them, with the names that they import."""
    for path in distribution.paths:
        if path.suffix == ".py" and pruning.kind(path) is None and path.parts[0] != distribution.information:
            content = distribution.content(path)
            if any(word in content for word in words):  # few have; it takes long to parse them all
                yield path, set(imported(content))


def imported(content: bytes) -> Iterator[str]:
    """Yield the names of the modules that a module imports, or that it may import as members of packages."""
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module or ''}.{each.name}" for each in node.names)


def test_every_kind_is_there_and_has_a_reason(distributions: list[Distribution]) -> None:
    found = {kind for each in distributions for path in each.paths if (kind := pruning.kind(path))}
    assert {kind.name for kind in set(pruning.KINDS) - found} <= {"caches"}  # not every installer leaves some
    assert all(kind.reason for kind in pruning.KINDS)


def test_of_modules_only_tests_commands_and_accelerators_are_left_out(distributions: list[Distribution]) -> None:
    left_out = {
        (each.name, str(path))
        for each in distributions
        for path in each.paths
        if path.suffix in {".py", ".so"} and pruning.kind(path) is not None
    }
    kinds = {pruning.kind(PurePosixPath(path)) for _, path in left_out}
    assert {kind.name for kind in kinds if kind} == {"tests", "commands", "accelerators"}
    packages = {path.partition("/tests/")[0] for _, path in left_out if "/tests/" in path}
    assert packages == {"certifi", "websocket"}  # look at what an upgrade brings before it is left out


def test_no_module_imports_what_is_left_out(distributions: list[Distribution]) -> None:
    for each in distributions:
        for path, names in importers(each, b"tests", b"_testcapi"):
            parts = {part for name in names for part in name.split(".")}
            assert not {"tests", "_testcapi"} & parts or path in NO_TESTS, path


def test_the_information_that_somebody_reads_is_kept(distributions: list[Distribution]) -> None:
    found = [
        (each.name, names) for each in distributions for _, names in importers(each, b"metadata", b"pkg_resources")
    ]
    readers = {name for name, names in found if not METADATA.isdisjoint(names)}
    assert readers - OF_OTHERS == pruning.READ.keys()


def test_those_who_read_it_find_what_they_look_for() -> None:
    code = """
        import json
        import apscheduler, attr
        from apscheduler.schedulers.background import BackgroundScheduler
        scheduler = BackgroundScheduler(timezone="UTC")
        trigger = scheduler._create_trigger("interval", {"seconds": 5, "timezone": "UTC"})
        print(json.dumps([apscheduler.version, attr.__version__, type(trigger).__name__]))
    """
    versions = [metadata.version("apscheduler"), metadata.version("attrs")]
    assert json.loads(run(code)) == [*versions, "IntervalTrigger"]


def test_asynchronous_calls_do_without_the_accelerators(distributions: list[Distribution], cloud: LocalCloud) -> None:
    there = {str(path.with_name(path.name.partition(".")[0])) for each in distributions for path in each.paths}
    assert there >= pruning.ACCELERATORS  # look at what an upgrade renames
    code = """
        import asyncio, json
        from alibabacloud_kms20160120 import models
        from alibabacloud_kms20160120.client import Client
        from alibabacloud_tea_openapi.models import Config
        from darabonba.runtime import RuntimeOptions

        names = ("access_key_id", "access_key_secret", "security_token")
        who = dict(zip(names, sys.argv[3:]))
        client = Client(Config(endpoint=sys.argv[1], protocol="HTTP", region_id=sys.argv[2], **who))

        async def main():
            made = models.CreateSecretRequest(secret_name="one", version_id="v1", secret_data="K\u00e4se")
            await client.create_secret_with_options_async(made, RuntimeOptions())
            put = models.PutSecretValueRequest(secret_name="one", version_id="v2", secret_data="K\u00e4se")
            return await client.put_secret_value_with_options_async(put, RuntimeOptions())

        answer = asyncio.run(main())
        import aiohttp.http_parser, aiohttp._websocket.reader, charset_normalizer, frozenlist, propcache.api
        print(json.dumps([answer.body.version_id, str(charset_normalizer.from_bytes("K\u00e4se".encode()).best())]))
    """
    who = cloud.admin
    said = run(code, cloud.endpoint, KMS_REGION, who.access_key_id, who.access_key_secret, who.security_token or "")
    assert json.loads(said) == ["v2", "K\u00e4se"]


def test_every_distribution_is_listed_with_its_license(distributions: list[Distribution]) -> None:
    text = (unpacked(for_this_interpreter()) / LICENSES).read_text(encoding="utf-8")
    for each in distributions:
        assert f"\n{each.name} {each.version}: " in text
        assert f"{each.name} {each.version}: not stated" not in text
        for path in each.paths:
            if path.parts[0] == each.information and pruning.licensing(path):
                assert f"{each.name} ({path.name})" in text
    assert "\naliyun-fc2 " in text
    assert "MIT License" in text.partition("\naliyun-fc2 ")[2].partition("\n")[0]  # it says so by a classifier only
    for name in ("cryptography-openssl", "openssl", "asn1"):  # what is inside of a compiled module
        assert f"\n  compiled into it: {name} " in text
    assert text.count("Apache License\n") < 10  # each text stands once
    assert not list(Path(unpacked(for_this_interpreter()) / PACKAGES).rglob("RECORD"))

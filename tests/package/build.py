"""What goes into a package, and where.

functions/, shared/   as they are, and their byte code beside them
python/               the distributions, pruned: byte code in the source's place for what a start loads
python/LICENSES.txt   what is in there, and under which licenses
LICENSE               of functions/ and shared/
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.localcloud.fc import code
from tests.package import bytecode, pruning, started
from tests.package.distributions import Distribution
from tests.package.elf import trimmed
from tests.package.target import Interpreter, PackageError, Target

ROOT = Path(__file__).parents[2]
OWN = ("functions", "shared")
LICENSE = "LICENSE"  # of what is in these folders
PACKAGES = code.PACKAGES  # where s.yaml's PYTHONPATH points
LICENSES = f"{PACKAGES}/LICENSES.txt"  # of what is in that one
CODE = code.CODE_PATH  # where a function finds itself

# Whatever else lies in these folders was left there by an editor, or by somebody.
_DEPLOYED = {".py", ".json", ".html", ".css"}

Files = dict[str, bytes]


@dataclass(frozen=True)
class Contents:
    """The files of a package, and what was done for them."""

    files: Files
    left_out: Mapping[str, int]  # files, by the name of their kind
    compiled: int
    modules: int


def own(root: Path) -> Files:
    """Return the files of this project that are deployed."""
    found = (path for name in OWN for path in sorted((root / name).rglob("*")) if path.suffix in _DEPLOYED)
    named = (path for path in found if path.is_file() and not _hidden(path.relative_to(root)))
    license_ = (root / LICENSE,) if (root / LICENSE).is_file() else ()
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in (*named, *license_)}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def digest(ours: Mapping[str, bytes], target: Target, interpreter: Interpreter | None, *more: bytes) -> str:
    """Return a digest of all that a package is made of; `more` says which distributions."""
    tools = {path.name: path.read_bytes() for path in Path(__file__).parent.glob("*.py") if path.name[:5] != "test_"}
    files = [{name: hashlib.sha256(content).hexdigest() for name, content in each.items()} for each in (ours, tools)]
    versions = [target.python, sorted(target.wheels or ()), interpreter and interpreter.version, sys.version]
    facts = [files, versions, zlib.ZLIB_RUNTIME_VERSION, [hashlib.sha256(each).hexdigest() for each in more]]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def contents(
    ours: Mapping[str, bytes],
    distributions: Iterable[Distribution],
    target: Target,
    interpreter: Interpreter | None,
    loaded: frozenset[PurePosixPath],
) -> Contents:
    """Put a package together. `loaded` are the distributions' modules that a start loads."""
    distributions = sorted(distributions, key=lambda each: each.name)
    theirs, left_out = _pruned(distributions)
    files = {**ours, **theirs, LICENSES: _licenses(distributions)}
    modules = sum(name.endswith(".py") for name in files)
    if interpreter is None:
        return Contents(files, left_out, 0, modules)
    wanted = [name for name in ours if name.endswith(".py")]
    wanted += [name for path in loaded if (name := f"{PACKAGES}/{path}") in theirs and path.suffix == ".py"]
    sources = {f"{CODE}/{name}": files[name] for name in wanted}
    compiled = bytecode.compiled(sources, interpreter, must={f"{CODE}/{name}" for name in ours if name in wanted})
    for name in wanted:
        content = compiled.get(f"{CODE}/{name}")
        if content is not None and name in ours:
            path = PurePosixPath(name)
            files[str(path.parent / "__pycache__" / f"{path.stem}.{target.cache_tag}.pyc")] = content
        elif content is not None:
            del files[name]
            files[f"{name}c"] = content
    return Contents(files, left_out, len(compiled), modules)


def _pruned(distributions: Iterable[Distribution]) -> tuple[Files, dict[str, int]]:
    files: Files = {}
    left_out: Counter[str] = Counter()
    for each, path in _paths(distributions):
        if path.parts[0] == each.information:
            if not pruning.information(each.name, path):
                left_out["*.dist-info"] += 1
                continue
        elif why := pruning.kind(path):
            left_out[why.name] += 1
            continue
        name, content = f"{PACKAGES}/{path}", trimmed(each.content(path))
        if files.setdefault(name, content) != content:
            msg = f"{each.name} and another distribution have different files {path}; nothing was packed"
            raise PackageError(msg)
    return files, dict(left_out)


def _paths(distributions: Iterable[Distribution]) -> Iterator[tuple[Distribution, PurePosixPath]]:
    for each in distributions:
        for path in each.paths:
            yield each, path


def _licenses(distributions: Iterable[Distribution]) -> bytes:
    """Return what is in the package and the texts of the licenses, each text once."""
    lines = ["What is in this folder, and under which licenses.", ""]
    texts: dict[str, list[str]] = defaultdict(list)
    for each in distributions:
        lines.append(f"{each.name} {each.version}: {each.license}")
        for path in each.paths:
            if path.parts[0] == each.information and pruning.licensing(path):
                text = each.content(path).decode("utf-8", "replace")
                texts["\n".join(line.rstrip() for line in text.strip().splitlines())].append(
                    f"{each.name} ({path.name})"
                )
            elif path.parts[:2] == (each.information, "sboms"):
                lines += (f"  compiled into it: {part}" for part in _parts(each.content(path)))
    for text, owners in texts.items():
        lines += ["", "-" * 80, ", ".join(owners), "", text]
    return ("\n".join(lines) + "\n").encode()


def _parts(bill: bytes) -> Iterator[str]:
    """Yield what a wheel's bill of materials (CycloneDX) names: name, version, licenses."""
    for part in json.loads(bill).get("components", ()):
        said = [each.get("expression") or each["license"].get("id") or "" for each in part.get("licenses", ())]
        yield f"{part['name']} {part.get('version', '')}: {', '.join(filter(None, said)) or 'not stated'}"


def loaded_by(root: Path, installed: Sequence[Distribution]) -> frozenset[PurePosixPath]:
    """Return the distributions' modules that a start of the functions loads."""
    _check_syntax(own(root))  # what the functions say of it hides where it is
    return started.of(started.modules(root), installed)


def _check_syntax(ours: Files) -> None:
    for name, content in ours.items():
        if name.endswith(".py"):
            try:
                compile(content, name, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as problem:
                msg = f"{name} does not compile: {problem}. Nothing was packed"
                raise PackageError(msg) from None

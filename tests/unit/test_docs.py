"""What the documents say of the code is what the code says."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from starlette.routing import Route

from shared import errors, events, rotation, scan, scan_request, status_report, status_request
from shared.alerts import Rules
from shared.expiry import Schedule
from shared.model import SecretName, Version, VersionId
from shared.report import Report
from shared.status import LastOutcome, Standing, State, Survey, select
from tests.evidence.document import TEMPLATE
from tests.fakes import DIRECTORY, NOON, user
from tests.localcloud.gateway.control import control_mount
from tests.localcloud.gateway.faults import KINDS
from tests.localcloud.server import LocalCloud
from tests.localcloud.switches import Switches
from tests.protocol.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHARED = ROOT / "shared"
REFERENCE = DOCS / "reference.md"

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_SHELL = re.compile(r"^( *)```(?:sh|console)$\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(
    r"[\w./-]+\.(?:html|in|json|md|png|py|svg|toml|txt|yaml)|(?:docs|events|functions|shared|tests)/[\w./-]*"
)
_LOCAL_PATH = re.compile(r"(?<![\w.:/<>-])(?:/(?:Users|home|mnt|opt|private|root|tmp|var|work)/|[A-Z]:\\)")

# What is nobody's setting here: the SDKs', the loopback cloud's, the contract's, s.yaml's own, of proxies, of alerts,
# of stacks.
FOREIGN = re.compile(
    r"ALIBABA_CLOUD_\w+|CONFORMANCE_\w+|LOCALCLOUD_TOKEN|FC_REGION|LOG_PROJECT|(?:HTTP|HTTPS|ALL|NO)_PROXY"
    r"|ACCOUNT_ID|ACTION_POLICY|CONTACT_GROUP"
    r"|(?:CREATE|DELETE|UPDATE)_(?:COMPLETE|FAILED)"
)


ELSEWHERE = ("dist", "node_modules", "__pycache__")  # what is made and not kept
BUILT = ("dist/", "python/")  # what `make package` makes, and what is in it

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/index.py"))
RULES = Rules.load((ROOT / "functions" / "reset_password" / "rules.json").read_bytes())

# A shell's own, and make's: `make replay SEED=17`.
PARAMETERS = {"STACK_ID", "QUICK", "SEED", "SOAK_SEED", "PYTHON", "JOBS"}


def documents() -> list[Path]:
    """Return every Markdown file of the repository; what begins with a dot, or was built, is not its own."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md") if path != TEMPLATE)  # it is docs/evidence.md
    return sorted(path for path in found if not any(part.startswith(".") or part in ELSEWHERE for part in path.parts))


EVERY_DOCUMENT = pytest.mark.parametrize("document", documents(), ids=str)


def text(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose(document: Path) -> str:
    """Return a document without its code blocks."""
    return _FENCE.sub("", text(document))


def code(document: Path) -> list[str]:
    """Return everything that a document's prose sets as code."""
    return _CODE.findall(prose(document))


def lines(document: Path) -> list[str]:
    """Return the lines of a document's code blocks for a shell; one that goes on is one."""
    blocks = (textwrap.dedent(block).replace("\\\n", " ") for _, block in _SHELL.findall(text(document)))
    return [line.strip() for block in blocks for line in block.splitlines()]


def commands(document: Path) -> list[str]:
    """Return everything that a document has for a shell, each line on its own; and what its prose sets as code."""
    return lines(document) + code(document)


@cache
def files() -> set[str]:
    """Return every file and folder of the repository, by its path."""
    walked = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    own = (path for path in walked if not any(part.startswith(".") or part in ELSEWHERE for part in path.parts))
    return {path.as_posix() for path in own}


def anchors(document: Path) -> set[str]:
    """Return the anchors that a Markdown viewer makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(document: Path, *heading: str) -> list[list[str]]:
    """Return the rows of the one table with these column headings."""
    tables = [table for table in _tables(document) if table[0] == list(heading)]
    assert len(tables) == 1, f"{document} has {len(tables)} tables with the headings {heading}"
    return tables[0][2:]


def _tables(document: Path) -> Iterator[list[list[str]]]:
    for table in re.findall(r"(?:^\|.*\|$\n?)+", prose(document), re.MULTILINE):
        yield [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()]


def settings() -> set[str]:
    """Return the names of all settings, from where they are read."""
    return set(re.findall(r'\bread\("([A-Z_]+)"', (SHARED / "settings.py").read_text(encoding="utf-8")))


def deployment() -> set[str]:
    """Return the names of all variables that s.yaml is filled in with."""
    return set(re.findall(r"\benv\('([A-Z_]+)'", (ROOT / "s.yaml").read_text(encoding="utf-8")))


def constants() -> set[str]:
    """Return the names of all constants of the deployed modules."""
    names = (
        re.findall(r"^([A-Z][A-Z0-9_]+)\b.*=", path.read_text("utf-8"), re.MULTILINE) for path in SHARED.glob("*.py")
    )
    return {name for each in names for name in each}


def shown(value: object) -> str:
    """Return a constant as the documents write it."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return str(value) if isinstance(value, int) else f"`{value}`"


def problems(function: str, event: bytes) -> list[errors.EventError]:
    """Return what a function finds wrong with an event."""
    if function == "reset_password":
        return list(events.parse(event, received=NOON, directory_id=DIRECTORY, rules=RULES).problems)
    read = scan_request.parse(event, received=NOON) if function == "scan_expiring" else status_request.parse(event)
    return [read] if isinstance(read, errors.EventError) else []


def subclasses(kind: type[errors.RotatorError]) -> Iterator[type[errors.RotatorError]]:
    """Yield an error of errors.py and everything under it, as the tree is drawn."""
    if kind.__module__ == errors.__name__:
        yield kind
        for each in kind.__subclasses__():
            yield from subclasses(each)


# every document


@EVERY_DOCUMENT
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", prose(document))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document.parent / path).resolve() if path else ROOT / document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target.relative_to(ROOT)), link


@EVERY_DOCUMENT
def test_no_document_names_a_local_path(document: Path) -> None:
    assert _LOCAL_PATH.findall(text(document)) == []


@EVERY_DOCUMENT
def test_every_setting_that_a_document_names_exists(document: Path) -> None:
    named = {name for name in code(document) if _VARIABLE.fullmatch(name) and not FOREIGN.fullmatch(name)}
    assert named - settings() - deployment() - constants() - PARAMETERS == set()


@EVERY_DOCUMENT
def test_every_variable_in_a_documents_commands_exists(document: Path) -> None:
    """Whoever copies a command that exports a misspelt setting deploys its default."""
    known = settings() | deployment() | constants() | PARAMETERS
    for line in lines(document):
        assigned = re.findall(r"(?:^|[\s;&])([A-Z][A-Z0-9_]*)=", line.partition("#")[0])
        named = set(assigned + re.findall(r"\$\{?([A-Z][A-Z0-9_]*)", line))
        assert {name for name in named - known if not FOREIGN.fullmatch(name)} == set(), line


@EVERY_DOCUMENT
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    told = {name for line in commands(document) for name in re.findall(r"(?:^|&& |; )make ([a-z]+)", line)}
    assert told - set(targets.split()) == set()
    assert {name for name in targets.split() if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_whoever_contributes_is_told_of_every_make_target() -> None:
    (targets,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    table = rows(ROOT / "CONTRIBUTING.md", "Command", "Does", "Run it")
    told = [name for row in table for name in re.findall(r"`make ([a-z]+)", row[0])]
    assert sorted(told) == sorted(targets.split())


@EVERY_DOCUMENT
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    known = files()
    names = {path.rpartition("/")[2] for path in known}
    paths = [path for path in code(document) if _PATH.fullmatch(path) and not path.startswith(BUILT)]
    for path in paths:
        beside = (document.parent / path).as_posix()
        assert path.rstrip("/") in known or beside in known or ("/" not in path and path in names), path


@EVERY_DOCUMENT
def test_every_function_and_event_in_a_documents_commands_is_understood(document: Path) -> None:
    for line in commands(document):
        for resource, verb, rest in re.findall(r"(?:^|\s)s (\w+) (invoke|deploy|remove|info)\b(.*)", line):
            assert resource in FUNCTIONS, line
            for event in re.findall(r"--event '(\{[^']*\})'", rest) if verb == "invoke" else ():
                assert problems(resource, event.encode()) == [], line


@EVERY_DOCUMENT
def test_every_picture_is_told_in_words(document: Path) -> None:
    """Alternative text of a word or two says no more than the file's name."""
    for told, _ in re.findall(r"!\[([^]]*)\]\(([^()\s]+)\)", prose(document)):
        assert len(told.split()) > 4, told


@EVERY_DOCUMENT
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {name for name in code(document) if re.fullmatch(r"test_\w+", name)}
    assert named - defined == set()


def test_the_documents_that_the_code_names_exist() -> None:
    sources = [*SHARED.glob("*.py"), *(ROOT / "functions").rglob("*.py"), ROOT / "requirements.in"]
    named = {name for path in sources for name in re.findall(r"docs/[\w/.-]+\.md", path.read_text(encoding="utf-8"))}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_reference_lists_every_setting() -> None:
    listed = {name for row in rows(REFERENCE, "Variable", "Default", "") for name in _CODE.findall(row[0])}
    assert listed == settings()


def test_the_reference_lists_every_other_variable_of_s_yaml_with_its_default() -> None:
    written = (ROOT / "s.yaml").read_text(encoding="utf-8")
    read = dict(re.findall(r"\benv\('([A-Z_]+)'(?:, '([^']*)')?\)", written))
    table = rows(REFERENCE, "Deployed with", "Default", "")
    said = {name: default.strip("`") for cell, default, _ in table for name in _CODE.findall(cell)}
    assert said == {name: read[name] or "required" for name in deployment() - settings()}


def test_the_reference_says_rightly_which_errors_a_redelivery_helps() -> None:
    retryable = {kind.reason: "yes" if kind.retryable else "no" for kind in subclasses(errors.RotatorError)}
    table = rows(REFERENCE, "Error", "Redelivery helps", "Means")
    said = {reason: helps for cell, helps, _ in table for reason in _CODE.findall(cell)}
    assert said == {reason: retryable.get(reason) for reason in said}


def test_the_reference_lists_every_fate_that_a_scan_has_for_a_user() -> None:
    listed = [fate for row in rows(REFERENCE, "A user is", "Means") for fate in _CODE.findall(row[0])]
    assert listed == [fate.value for fate in scan.Fate]


def test_the_references_report_of_a_scan_has_the_shape_of_one_and_adds_up() -> None:
    (shown,) = re.findall(r'^```json\n(\{"AsOf"[^`]*?"DryRun".*?)^```$', text(REFERENCE), re.MULTILINE | re.DOTALL)
    sample: dict[str, Any] = json.loads(shown)
    schedule = Schedule.of(NOON, timedelta(days=90), lead=timedelta(days=14), spread=timedelta(days=3))
    policy = scan.Policy(
        lambda _u: SecretName(""), lambda _u: None, lambda _u: False, schedule.lead, schedule.spread, 100
    )
    made = Report().answer(scan.Plan(schedule, (), 0, 0, 0), policy, dry_run=False)
    assert list(sample) == list(made)
    assert list(sample["Excluded"]) == list(made["Excluded"])  # type: ignore[call-overload]
    excluded = sum(each["Count"] for each in sample["Excluded"].values())
    assert sample["Users"] == sample["NotDue"] + sample["Due"] + sample["Unmanaged"]["Count"] + excluded
    assert sample["Due"] == sum(sample[each]["Count"] for each in ("Dispatched", "AlreadyDispatched", "Deferred"))


def test_the_references_example_of_the_state_has_the_shape_of_an_answer() -> None:
    (shown,) = re.findall(r'^```json\n(\{"AsOf"[^`]*?"Standings".*?)^```$', text(REFERENCE), re.MULTILINE | re.DOTALL)
    sample: dict[str, Any] = json.loads(shown)
    version = Version(VersionId("r7"), NOON, frozenset())
    last = LastOutcome("rotated", None, None)
    one = Standing(user("alice"), SecretName(""), State.FRESH, versions=(version,), last=last)
    survey = Survey(NOON, DIRECTORY, None, (), sso_enabled=False, standings=(one,), orphans=(), gaps=(), looked_at=1)
    made = status_report.status(survey, (), select([one], per_page=1))
    made = json.loads(json.dumps(made))
    assert list(sample) == list(made)
    assert list(sample["States"]) == list(made["States"]) == [state.value for state in State]
    ((shown_user,), (made_user,)) = (sample["Standings"], made["Standings"])
    assert list(shown_user) == list(made_user)
    assert list(shown_user["LastOutcome"]) == list(made_user["LastOutcome"])
    assert list(shown_user["Versions"][0]) == list(made_user["Versions"][0])


def test_the_reference_lists_every_field_and_every_state_of_the_status() -> None:
    assert [name for row in rows(REFERENCE, "Field", "Means") for name in _CODE.findall(row[0])] == list(
        status_request._FIELDS
    )
    states = [state for row in rows(REFERENCE, "State", "Means") for state in _CODE.findall(row[0])]
    assert states == [state.value for state in State]


def test_the_reference_lists_what_the_pages_address_may_say() -> None:
    (told,) = re.findall(r"The page takes .*?\n\n", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert set(_CODE.findall(told)) >= {*status_request._PARAMETERS, *status_request._HOW}


def test_the_reference_lists_what_is_deployed_under_its_name() -> None:
    named = re.findall(
        r"\$\{RotatorName\}-([\w-]+)", json.dumps([*_properties("MNS::Queue"), *_properties("MNS::Topic")])
    )
    policies = re.findall(
        r"\$\{RotatorName\}-([\w-]+)", json.dumps([p["PolicyName"] for p in _properties("ManagedPolicy")])
    )
    functions = [name.replace("_", "-") for name in FUNCTIONS]
    listed = [_CODE.findall(row[0])[0] for row in rows(REFERENCE, "Name", "Is", "Use")]
    assert sorted(listed) == sorted(
        {*named, *functions, *(name for name in policies if name.endswith("viewers")), "alerts"}
    )


def _properties(kind: str) -> list[dict[str, Any]]:
    stack = json.loads((DOCS / "stack.json").read_bytes())
    return [one["Properties"] for one in stack["Resources"].values() if one["Type"].endswith(kind)]


def test_the_readme_exports_one_variable_a_line() -> None:
    """Serverless Devs reads a .env beside s.yaml by itself, and takes everything to the line's end for one value."""
    exports = [line for line in lines(Path("README.md")) if line.startswith("export ")]
    assert exports
    assert [line for line in exports if not re.fullmatch(r"export [A-Z_]+=(?:'[^']*'|[^\s']*)", line)] == []


def test_every_decision_is_in_the_list_of_decisions() -> None:
    listed = [_LINK.findall(row[0])[0] for row in rows(DOCS / "decisions" / "README.md", "Decision", "In short")]
    assert listed == sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))


# architecture.md


def test_the_error_table_is_the_tree_of_errors() -> None:
    written = rows(DOCS / "architecture.md", "Error", "Reason", "Retryable")
    assert written == [
        [f"`{kind.__name__}`", f"`{kind.reason}`", "yes" if kind.retryable else "no"]
        for kind in subclasses(errors.RotatorError)
    ]


def test_the_drawn_tree_of_errors_is_the_one_in_the_code() -> None:
    (drawn,) = re.findall(
        r"^```text\n(RotatorError\n.*?)^```$", text(DOCS / "architecture.md"), re.MULTILINE | re.DOTALL
    )
    assert textwrap.indent(drawn, "    ") in (errors.__doc__ or "")
    names = re.findall(r"^[│├└─ ]*(\w+)", drawn, re.MULTILINE)
    assert names == [kind.__name__ for kind in subclasses(errors.RotatorError)]


def test_every_module_has_its_line() -> None:
    listed = [row[0].strip("`") for row in rows(DOCS / "architecture.md", "Module in `shared/`", "What it is")]
    assert listed == sorted(path.name for path in SHARED.glob("*.py") if path.name != "__init__.py")


def test_every_folder_of_tests_and_every_function_is_a_room() -> None:
    table = rows(DOCS / "architecture.md", "Room", "What it is")
    told = {name for row in table for cell in row for name in re.findall(r"(?:tests|functions)/\w+(?=/)", cell)}
    there = {
        path.removesuffix("/__init__.py")
        for path in files()
        if re.fullmatch(r"(?:tests|functions)/\w+/__init__.py", path)
    }
    assert told == there


def contract(of: str, listed: str) -> list[str]:
    """Return what a contract of import-linter lists; Python 3.10 has no reader of TOML."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (found,) = re.findall(rf'^name = "{of}.*?^{listed} = \[(.*?)^\]$', text, re.MULTILINE | re.DOTALL)
    return [module.removeprefix("shared.") for module in re.findall(r'"([^"]+)"', found)]


def drawn(layers: list[str], core: list[str]) -> str:
    """Return layers as a flowchart: of each what is shell, and what is core, with an arrow to the next one."""
    rows = []
    for layer in layers:
        modules = [module.strip().removeprefix("shared.") for module in layer.split("|")]
        parts = [[each for each in modules if each not in core], [each for each in modules if each in core]]
        rows.append([part for part in parts if part])
    nodes = [
        f'{part[0]}["{", ".join(part)}"]{":::core" if part[0] in core else ""}\n' for parts in rows for part in parts
    ]
    heads = [" & ".join(part[0] for part in parts) for parts in rows]
    arrows = [f"{above} --> {below}\n" for above, below in pairwise(heads)]
    return textwrap.indent("".join(nodes + arrows), "    ")


def test_the_picture_of_the_layers_is_import_linters_contract() -> None:
    layers = contract("Functions, bootstrap, shell, core", "layers")
    core = contract("The core does no I/O", "source_modules")
    assert drawn(layers, core) in text(DOCS / "architecture.md")


def test_every_module_has_its_layer() -> None:
    layers = contract("Functions, bootstrap, shell, core", "layers")
    layered = {module.strip().removeprefix("shared.") for layer in layers for module in layer.split("|")}
    assert layered == {"functions", *(path.stem for path in SHARED.glob("*.py") if path.name != "__init__.py")}


# protocol.md


def test_the_constants_are_those_of_the_code() -> None:
    for name, value, _ in rows(DOCS / "protocol.md", "Constant", "Value", "Why"):
        module, _, constant = name.strip("`").rpartition(".")
        found = getattr(importlib.import_module(f"shared.{module or 'rotation'}"), constant)
        assert value == shown(found), name


def test_every_constant_of_the_protocol_is_explained() -> None:
    listed = {row[0].strip("`") for row in rows(DOCS / "protocol.md", "Constant", "Value", "Why")}
    own = re.findall(r"^([A-Z][A-Z_]+) = ", inspect.getsource(rotation), re.MULTILINE)
    assert set(own) <= listed


def test_the_lease_is_derived_from_what_the_document_says() -> None:
    least = rotation.PUBLISH_BY + rotation.LONGEST_EFFECT + 2 * rotation.CLOCK_SKEW + rotation.KMS_TICK
    assert f"`KMS_TICK` = {least.total_seconds():g} s" in text(DOCS / "protocol.md")


def test_every_reason_that_an_operator_reads_of_is_an_errors() -> None:
    reasons = {kind.reason for kind in subclasses(errors.RotatorError)}
    cells = [row[0] for row in rows(DOCS / "protocol.md", "Error", "What is known", "What to do")]
    listed = {reason for cell in cells for reason in _CODE.findall(cell)}
    assert listed <= reasons
    # roots of the tree are never raised, one is always handled, and nothing raises the last one yet
    assert reasons - listed == {"error", "event", "directory", "secret-store", "rotation", "secret-exists", "dispatch"}


def test_every_mutant_is_listed() -> None:
    assert [row[0] for row in rows(DOCS / "protocol.md", "Mutant", "What goes wrong")] == [one.name for one in MUTANTS]


# loopback-cloud.md


def _json(value: object) -> str:
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"


def test_the_table_of_switches_is_the_switches_and_their_defaults() -> None:
    written = [row[:2] for row in rows(DOCS / "loopback-cloud.md", "Switch", "Default", "Question")]
    assert written == [[f"`{each.name}`", _json(each.default)] for each in fields(Switches)]


def test_the_other_readings_of_the_switches_are_listed() -> None:
    hints: dict[str, Any] = get_type_hints(Switches)
    expected = [
        f"* `{each.name}`: {', '.join(_json(value) for value in get_args(hints[each.name]) if value != each.default)}"
        for each in fields(Switches)
        if get_args(hints[each.name])
    ]
    assert "\n".join(expected) in text(DOCS / "loopback-cloud.md")


def test_the_table_of_faults_has_every_kind() -> None:
    table = rows(DOCS / "loopback-cloud.md", "Kind", "Applied", "What the client gets", "Fields")
    assert tuple(row[0].strip("`") for row in table) == KINDS


def test_the_table_of_controls_has_every_endpoint() -> None:
    routes = [route for route in control_mount(LocalCloud(), "token").routes if isinstance(route, Route)]
    served = {f"`{verb} {route.path}`" for route in routes for verb in (route.methods or set()) - {"HEAD"}}
    assert {row[0] for row in rows(DOCS / "loopback-cloud.md", "Request", "Body", "Does")} == served

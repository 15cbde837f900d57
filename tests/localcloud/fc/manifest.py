"""An s.yaml, read as Serverless Devs and its component fc3 would deploy it, and refused where they let errors pass.

Sources: Serverless Devs' YAML specification and parser (see variables.py); the fc3 component's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.localcloud.fc import yaml_text
from tests.localcloud.fc.declared import DeclaredFunction, Declaring
from tests.localcloud.fc.document import Document, Resource, check_actions, converted, over
from tests.localcloud.fc.variables import ManifestRefusedError, Variables

_EDITION = "3.0.0"
_COMPONENT = "fc3"
_OUTPUT = re.compile(r"\$\{\s*resources\.(\w+)\.output\b")


@dataclass(frozen=True)
class Manifest:
    """What an s.yaml declares, in the order in which it is deployed."""

    path: Path
    region: str
    functions: tuple[DeclaredFunction, ...]

    @staticmethod
    def read(path: Path, environ: Mapping[str, str], account_id: str) -> Manifest:
        """Read an s.yaml, or raise ManifestRefusedError with the place and the reason.

        The environment is the one given, and no other: not this process's, nor that of a `.env` file.
        """
        return _Reader(path, environ, account_id).manifest()

    def running(self, code: Path) -> Manifest:
        """Return the same with this code in every function: that of a package for the Python that is here."""
        return replace(self, functions=tuple(replace(each, code=code) for each in self.functions))

    def queues(self) -> set[str]:
        """Return the names of the queues that must be there first."""
        return self._named("queues")

    def topics(self) -> set[str]:
        """Return the names of the topics that must be there first."""
        return self._named("topics")

    def roles(self) -> set[str]:
        """Return the names of the roles that must be there first."""
        return {each.role_name for each in self.functions if each.role_name}

    def _named(self, kind: str) -> set[str]:
        return {each.name for function in self.functions for each in function.addresses() if each.kind == kind}


class _Reader:
    """The reading of one file."""

    def __init__(self, path: Path, environ: Mapping[str, str], account_id: str) -> None:
        self._path = path
        self._account_id = account_id
        self._document = converted(yaml_text.read(path), Document, "")
        listed = self._document.resources.items()
        self._resources = {name: converted(each, Resource, f"resources.{name}") for name, each in listed}
        folder = path.resolve().parent
        self._variables = Variables(folder, environ, {"AccountID": account_id})
        self._declaring = Declaring(folder, account_id)

    def manifest(self) -> Manifest:
        document = self._document
        if document.edition != _EDITION:
            raise ManifestRefusedError("edition", f"is {document.edition!r}; what is understood is {_EDITION}")
        check_actions(document.actions, "actions")
        for name, resource in self._resources.items():
            check_actions(resource.actions, f"resources.{name}.actions")
        functions = tuple(self._functions())
        if not functions:
            raise ManifestRefusedError("resources", "declares nothing")
        _refuse_twice("resources", "functionName", [each.name for each in functions])
        regions = {each.props.region for each in functions}
        if len(regions) > 1:
            raise ManifestRefusedError("resources", f"more than one region: {', '.join(sorted(regions))}")
        return Manifest(self._path, regions.pop(), functions)

    def _functions(self) -> Iterator[DeclaredFunction]:
        variables = self._variables.knowing(vars=self._document.vars)
        known = variables.fill(self._document.vars, "vars")
        resources: dict[str, Any] = {name: {"props": self._merged(name)} for name in self._resources}
        for name in self._in_order(resources):
            here = self._variables.knowing(vars=known, resources=resources)
            place = f"resources.{name}"
            this = {"name": name, "access": self._document.access, **resources[name]}
            props = here.knowing(this=this).fill(resources[name]["props"], f"{place}.props")
            function = self._declaring.function(name, props, f"{place}.props")
            arn = f"acs:fc:{function.props.region}:{self._account_id}:functions/{function.name}"
            resources[name] = {"props": props, "output": {**props, "functionArn": arn}}
            yield function

    def _merged(self, name: str) -> dict[str, Any]:
        resource = self._resources[name]
        place = f"resources.{name}"
        if resource.component != _COMPONENT:
            raise ManifestRefusedError(
                f"{place}.component", f"is {resource.component!r}; deployed here is {_COMPONENT}"
            )
        if resource.extend is None:
            return resource.props
        template = self._document.template.get(resource.extend.name)
        if template is None:
            raise ManifestRefusedError(f"{place}.extend.name", f"there is no template {resource.extend.name}")
        kept = {key: value for key, value in template.items() if key not in resource.extend.ignore}
        return over(kept, resource.props)

    def _in_order(self, resources: Mapping[str, Any]) -> Iterator[str]:
        """Yield the resources in order of deployment: whoever's output is used is deployed before."""
        waiting = {name: set(_OUTPUT.findall(str(each["props"]))) for name, each in resources.items()}
        while waiting:
            ready = next((name for name, needed in waiting.items() if not needed & waiting.keys()), None)
            if ready is None:
                raise ManifestRefusedError("resources", f"each waits for another's output: {', '.join(waiting)}")
            del waiting[ready]
            yield ready


def _refuse_twice(place: str, key: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ManifestRefusedError(place, f"{key} {', '.join(twice)} stands twice")

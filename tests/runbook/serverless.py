"""`s`: Serverless Devs with its component fc3, on the loopback cloud.

Sources: the component's own help of its commands (src/commands-help) and its deploy, info, invoke and logs
(src/subCommands), 0.1.22.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tests.localcloud.api import ApiError
from tests.localcloud.fc.backend import Target
from tests.localcloud.fc.declared import DeclaredFunction
from tests.localcloud.fc.deploy import spec
from tests.localcloud.fc.props import EventBridgeConfig
from tests.runbook.tools import Answer, Asked, flags, refuse
from tests.runbook.world import World, kept

# The flags of each command that the documents use, of those that it has; where the second is true, without a value.
KNOWN: dict[str, dict[str, bool]] = {
    "deploy": {"y": True, "trigger": False},
    "remove": {"y": True, "trigger": False},
    "invoke": {"event": False, "e": False, "invocation-type": False},
    "info": {},
    "logs": {"search": False, "request-id": False, "start-time": False, "end-time": False},
}
LAST = timedelta(hours=1)  # what `logs` looks back without --start-time; its own help says twenty minutes
MOST_LINES = 100  # of Log Service's GetLogs, which it calls without saying how many, nor that the newest come first
WHOLE = ("deploy", "remove", "info")  # commands that are for everything where no resource is named


class Serverless:
    """The tool, where s.yaml is."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, asked: Asked) -> Answer:
        """Carry out one command, and let everything happen that follows from it."""
        first, *rest = [*asked.arguments, ""]
        manifest = self._world.manifest(dict(asked.environment))  # the tool reads all of it, whatever it is to do
        resources = [each.resource for each in manifest.functions]
        if first in resources:
            chosen, (command, *rest) = [first], rest
        elif first in WHOLE:
            chosen, command = resources, first
        else:
            refuse(f"s {first}: it is no resource of s.yaml, and no command for all of them")
        known = KNOWN.get(command)
        if known is None:
            refuse(f"s {' '.join(asked.arguments)} is not known; known are {', '.join(KNOWN)}")
        given = flags([each for each in rest if each], [name for name in known if known[name]])
        if given.keys() - known.keys():
            refuse(f"s {command} is not known with {sorted(given)}; known are {sorted(known)}")
        if command in ("deploy", "remove") and "y" not in given:
            refuse(f"s {command} asks, and nobody is there to answer; -y")
        declared = {each.resource: each for each in manifest.functions}
        values = {name: each[0] for name, each in given.items() if each}
        answer = self._carried_out(command, [declared[name] for name in chosen], values)
        self._world.settle()
        return answer

    def _carried_out(self, command: str, chosen: list[DeclaredFunction], given: Mapping[str, str]) -> Answer:
        if command == "deploy":
            return self._triggers(chosen[0], given["trigger"]) if "trigger" in given else self._deployed(chosen)
        if command == "remove":
            return self._removed(chosen, given.get("trigger"))
        if command == "info":
            return Answer("".join(self._told(each) for each in chosen))
        return self._logs(chosen[0], given) if command == "logs" else self._invoked(chosen[0], given)

    def _deployed(self, chosen: list[DeclaredFunction]) -> Answer:
        functions = [replace(each, triggers=kept(self._world.functions.get(each.resource), each)) for each in chosen]
        manifest = replace(self._world.manifest_of(), functions=tuple(functions))
        self._world.cloud.deployer.deploy(manifest, self._world.roles())
        self._world.functions.update({each.resource: each for each in functions})
        return Answer("".join(map(self._told, functions)))

    def _triggers(self, function: DeclaredFunction, names: str) -> Answer:
        before = self._world.functions[function.resource]
        wanted = {each.name: each for each in function.triggers if each.name in names.split(",")}
        if wanted.keys() != set(names.split(",")):
            refuse(f"{function.resource} has no trigger {names}")
        with self._world.cloud.timeline.busy():
            for each in wanted.values():
                self._world.cloud.deployer._trigger(function, each)
        others = tuple(each for each in before.triggers if each.name not in wanted)
        self._world.functions[function.resource] = replace(before, triggers=(*others, *wanted.values()))
        return Answer(self._told(self._world.functions[function.resource]))

    def _removed(self, chosen: list[DeclaredFunction], trigger: str | None) -> Answer:
        for each in chosen:
            before = self._world.functions.pop(each.resource)
            if trigger is None:
                for undo in self._world.cloud.deployer._undo.pop(each.name, []):
                    undo()
            else:
                names = set(trigger.split(","))
                if names - {declared.name for declared in before.triggers}:
                    refuse(f"{each.resource} has no trigger {trigger}")
                for name in names:  # there is no trigger of this name of the other kind
                    self._world.cloud.eventbridge.remove(spec(before).target, name)
                    self._world.cloud.timers.remove(spec(before).target, name)
                left = tuple(declared for declared in before.triggers if declared.name not in names)
                self._world.functions[each.resource] = replace(before, triggers=left)
        return Answer()

    def _told(self, function: DeclaredFunction) -> str:
        """Return what `s info` shows of a function, and `s deploy` at its end."""
        there = self._world.functions.get(function.resource)
        if there is None:
            return f"{function.resource}:\n  error: FunctionNotFound\n"
        lines = [f"{function.resource}:", f"  region: {there.props.region}", f"  functionName: {there.name}"]
        lines += ["  environmentVariables:"]
        lines += [f"    {name}: {value}" for name, value in sorted(there.props.environment_variables.items())]
        lines += ["  triggers:"]
        for each in there.triggers:
            lines += [f"    - triggerName: {each.name}"]
            if isinstance(each.config, EventBridgeConfig):
                lines += [f"      triggerEnable: {json.dumps(each.config.trigger_enable)}"]
        return "\n".join(lines) + "\n"

    def _invoked(self, function: DeclaredFunction, given: Mapping[str, str]) -> Answer:
        if function.resource not in self._world.functions:
            return Answer(complained=f"Error: FunctionNotFound: {function.name}\n", status=1)
        target = Target(function.name)
        event = given.get("event", given.get("e", "")).encode()
        if given.get("invocation-type", "Sync") == "Async":
            request_id = self._world.cloud.fc.invoke_async(target, event)
            return Answer(f"Qualifier: LATEST\nRequestId: {request_id}\n")
        try:
            result = self._world.cloud.fc.invoke(target, event)
        except ApiError as refusal:
            return Answer(complained=f"Error: {refusal.code}: {refusal.message}\n", status=1)
        failed = f"Error Type: {result.error_type}\n\n" if result.error_type else "\n"
        body = result.payload.decode()
        return Answer(f"RequestId: {result.request_id}\n{failed}Invoke Result:\n{body}\n")

    def _logs(self, function: DeclaredFunction, given: Mapping[str, str]) -> Answer:
        """Return the log's lines that have every word that is searched for, as the full-text index finds them."""
        words = given.get("search", "").lower().replace(" and ", " ").split()
        now = self._world.cloud.clock.now()
        since, until = _instant(given, "start-time", now - LAST), _instant(given, "end-time", now)
        lines = [
            line
            for record in self._world.cloud.fc.logs(function.name)
            if given.get("request-id") in (None, record.request_id) and since <= record.ended <= until
            for line in record.text.splitlines()
        ]
        found = [line for line in lines if all(word.strip('"') in line.lower() for word in words)]
        return Answer("".join(f"{line}\n" for line in found[:MOST_LINES]))


def _instant(given: Mapping[str, str], name: str, otherwise: datetime) -> datetime:
    """Return an instant as it is given, with its zone: without one the tool would take that of its machine."""
    if name not in given:
        return otherwise
    try:
        found = datetime.fromisoformat(given[name].replace("Z", "+00:00"))
    except ValueError:
        refuse(f"s logs --{name} {given[name]}: it is no instant")
    if found.tzinfo is None:
        refuse(f"s logs --{name} {given[name]}: it has no zone")
    return found

"""`make demo`: the main job on the loopback cloud, in one screen. Exits 0 only if everything it says came true.

The function's own handler is given the sample events' bytes, with exactly the permissions of its policy.json; the cloud
is spoken to by the unmodified official SDKs. Whether a password is live is asked at the user portal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from functions.reset_password import index
from shared.errors import RotatorError
from tests.deployment import CloudClock, Deployment
from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud

USERS = ("alice", "bob", "carol", "dave", "erin", "root-admin", "frank")
SAMPLES = {
    "security-alert.json": ("alert", ("alice",)),
    "expiring.json": ("expiry", ("bob",)),
    "queue-batch.json": ("batch", ("carol", "dave", "root-admin", "frank", "mallory")),
}
LEFT_ALONE = {"root-admin": ("protected", "ok"), "frank": ("disabled", "disabled")}  # outcome; what the portal says
LOOKUP, DUPLICATE, ROTATION = 1, 2, 6  # API calls for a user who is left alone or unknown, rotated already, rotated
ROTATED = ("alice", "bob", "carol", "dave")
LOST = {"UserName": "erin", "Reason": "manual"}
CROSS = "[red]✗[/red]"


@dataclass
class Demo:
    """A deployed function, what became of its events, and what turned out not to be as promised."""

    deployed: Deployment
    audit: io.StringIO  # the lines of the latest event
    lines: list[str] = field(default_factory=list)  # of all events
    first: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Fill the directory: everybody has a first password, and it signs in."""
        for number, name in enumerate(USERS):
            self.first[name] = f"First-Pass-{number}!x"
            status = "Disabled" if name == "frank" else "Enabled"
            self.deployed.add_user(name, self.first[name], status=status)
        signed_in = [self.deployed.signs_in(name, self.first[name]) for name in USERS if name != "frank"]
        self.check(holds=set(signed_in) == {"ok"}, what="first passwords sign in")

    def deliver(self, event: bytes) -> tuple[int, str]:
        """Deliver an event; return how many calls it made, and the failure that it was answered with, if any."""
        self.audit.seek(0)
        self.audit.truncate()
        self.deployed.cloud.calls.clear()
        failure = ""
        try:
            index.handler(event, self.deployed.context)
        except RotatorError as error:
            failure = str(error)
        for line in self.audit.getvalue().splitlines():
            self.lines.append(line)
            facts = json.loads(line)
            self.outcomes[facts["User"]] = facts
        return len(self.deployed.actions()), failure

    def old_refused(self, name: str) -> bool:
        """Tell whether the first password no longer signs in."""
        return self.deployed.signs_in(name, self.first[name]) == "wrong"

    def new_accepted(self, name: str) -> bool:
        """Tell whether the password in KMS signs in."""
        password = self.deployed.secret(name).get("Password", "") if self.deployed.has_secret(name) else ""
        return self.deployed.signs_in(name, password) == "ok"

    def check_audit(self) -> None:
        """Check that the audit lines hold no password that KMS holds."""
        passwords = {password for name in (*ROTATED, "erin") for password in self.deployed.passwords_of(name)}
        log = "\n".join(self.lines)
        self.check(holds=not any(password in log for password in passwords), what="no password is in the audit lines")

    def check(self, *, holds: bool, what: str, shown: str = "") -> str:
        """Note what does not hold; return what to show of it in the table."""
        if not holds:
            self.broken.append(what)
        return f"[green]{shown}[/green]" if holds else CROSS


def main(tamper: Callable[[LocalCloud], object] = lambda _cloud: None) -> int:
    """Run the demo; return 0 if everything came true. `tamper` is for the test that something does not."""
    console = Console(width=None if sys.stdout.isatty() else 100)
    with console.status("Starting CloudSSO, KMS and RAM on loopback …"), running() as demo:
        demo.prepare()
        tamper(demo.deployed.cloud)
        table = show(demo)
        demo.check_audit()
    console.print(table)
    for problem in demo.broken:
        console.print(f"{CROSS} This did not come true: {problem}", style="red")
    if not demo.broken:
        console.print(
            "Old one, In KMS: what the portal says to the password from before, and to the secret's.\n"
            "Calls: six a rotation, two a duplicate. mallory's message fails its batch, so the queue sees it.\n"
            "[green]All of it was checked and came true.[/green]"
        )
    return 1 if demo.broken else 0


@contextlib.contextmanager
def running() -> Iterator[Demo]:
    """Serve a cloud and start the function on it, its audit lines kept aside."""
    audit = io.StringIO()
    with LocalCloud() as cloud, contextlib.redirect_stdout(audit):
        deployed = Deployment(cloud, PROTECTED_USERS="root-*")
        os.environ.update(deployed.environ)
        index.initialize(deployed.context)
        # Time passes by shifting the cloud's clock and the function's: a lease need not be waited for.
        index._instance["app"] = dataclasses.replace(index._instance["app"], clock=CloudClock(cloud))
        yield Demo(deployed, audit)


def show(demo: Demo) -> Table:
    """Deliver everything, and lay out what became of it."""
    table = Table(
        title="cloudsso-rotator on the loopback cloud",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("Event", "User", "Outcome", "Version", "Old one", "In KMS"):
        table.add_column(heading, no_wrap=heading != "Event")
    table.add_column("Calls", justify="right")
    for name, (what, users) in SAMPLES.items():
        deliver_sample(demo, table, name, what, users)
    for name, (what, _) in SAMPLES.items():
        deliver_again(demo, table, name, what)
    deliver_lost(demo, table)
    return table


def deliver_sample(demo: Demo, table: Table, name: str, what: str, users: tuple[str, ...]) -> None:
    """Deliver a sample for the first time: a row for each of its users."""
    calls, failure = demo.deliver(demo.deployed.sample(name))
    for user in users:
        facts = demo.outcomes.get(user, {})
        marks = ("", "")
        if user in ROTATED:
            done = facts.get("Outcome") == "rotated"
            demo.check(holds=done, what=f"{user} is rotated")
            marks = (
                demo.check(holds=demo.old_refused(user), what=f"{user}'s old password is refused", shown="refused"),
                demo.check(holds=demo.new_accepted(user), what=f"{user}'s password in KMS signs in", shown="signs in"),
            )
        elif user in LEFT_ALONE:
            check_left_alone(demo, user)
        else:
            demo.check(holds="mallory: user-not-found" in failure, what="mallory's message fails the batch")
        first = user == users[0]
        table.add_row(
            what if first else "", user, said(facts), facts.get("VersionId", ""), *marks, str(calls) if first else ""
        )
    check_calls(demo, name, calls, ROTATION)
    table.add_section()


def check_left_alone(demo: Demo, user: str) -> None:
    """Check that nothing was done to a user: the outcome says so, the old password is live, there is no secret."""
    outcome, portal = LEFT_ALONE[user]
    said_so = demo.outcomes.get(user, {}).get("Outcome") == outcome
    untouched = demo.deployed.signs_in(user, demo.first[user]) == portal and not demo.deployed.has_secret(user)
    demo.check(holds=said_so and untouched, what=f"{user} is left alone")


def check_calls(demo: Demo, name: str, calls: int, each: int) -> None:
    """Check the number of calls an event took: so many for each user to be rotated, a lookup for the others."""
    expected = sum(each if user in ROTATED else LOOKUP for user in SAMPLES[name][1])
    demo.check(holds=calls == expected, what=f"{name} takes {expected} calls (it took {calls})")


def deliver_again(demo: Demo, table: Table, name: str, what: str) -> None:
    """Deliver a sample once more: nothing may change."""
    before = {user: demo.deployed.everything_in(user) for user in ROTATED if demo.deployed.has_secret(user)}
    calls, _ = demo.deliver(demo.deployed.sample(name))
    users = [user for user in SAMPLES[name][1] if user in ROTATED]
    for user in users:
        facts = demo.outcomes.get(user, {})
        unchanged = user in before and demo.deployed.everything_in(user) == before[user]
        demo.check(holds=facts.get("Outcome") == "already-rotated" and unchanged, what=f"{user} is not rotated twice")
        kept = demo.check(
            holds=demo.new_accepted(user), what=f"{user}'s password in KMS still signs in", shown="signs in"
        )
        first = user == users[0]
        again = f"{what.rsplit(maxsplit=1)[-1]} again" if first else ""
        table.add_row(again, user, said(facts), facts.get("VersionId", ""), "", kept, str(calls) if first else "")
    for user in LEFT_ALONE.keys() & set(SAMPLES[name][1]):
        check_left_alone(demo, user)
    check_calls(demo, name, calls, DUPLICATE)
    if name == list(SAMPLES)[-1]:
        table.add_section()


def deliver_lost(demo: Demo, table: Table) -> None:
    """Lose the answer to a reset, and with it the only copy of a generated password."""
    demo.deployed.cloud.faults.arm(Fault("ResetUserPassword", "drop-after"))
    calls, _ = demo.deliver(json.dumps(LOST).encode())
    facts = demo.outcomes.get("erin", {})
    recovered = facts.get("Outcome") == "rotated" and facts.get("Attempt") == 2
    demo.check(holds=recovered, what="the lost answer is recovered from")
    marks = (
        demo.check(holds=demo.old_refused("erin"), what="erin's old password is refused", shown="refused"),
        demo.check(holds=demo.new_accepted("erin"), what="erin's password in KMS signs in", shown="signs in"),
    )
    table.add_row("lost answer", "erin", f"{said(facts)}, try 2", facts.get("VersionId", ""), *marks, str(calls))


def said(facts: dict[str, Any]) -> str:
    """Return an outcome in words."""
    if facts.get("Outcome") == "failed":
        return f"[yellow]{facts['Error']}[/yellow]"
    merged = ", 2 in 1" if facts.get("Merged") == 2 and facts["Outcome"] == "rotated" else ""
    return f"{facts.get('Outcome', 'nothing')}{merged}"


if __name__ == "__main__":
    raise SystemExit(main())

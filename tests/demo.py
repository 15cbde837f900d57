"""`make demo`: the main job on the loopback cloud, in one screen. Exits 0 only if everything it says came true.

    python -m tests.demo --record docs/demo.svg   # draws the screen as well; a test asks for it when it has changed

The repository's own s.yaml is deployed: both functions in processes of their own, with exactly the permissions of
docs/stack.json, behind the triggers that are declared there. Waiting is skipped: days pass in seconds, in the order in
which things would happen. Whether a password is live is asked at the user portal.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.installation import PREFIX, SCAN, Installation
from tests.localcloud.server import LocalCloud
from tests.recording import WIDTH, svg

USERS = ("alice", "bob", "carol", "dave", "erin", "root-admin", "frank")
BATCH = "queue-batch.json"
PASSWORDS_LIVE = 30  # days: the scan hands a rotation on 14 to 17 days before the end
NIGHTS = 17
DAY = 86_400.0
DUPLICATE, ROTATION = 2, 6  # API calls
CROSS = "[red]✗[/red]"

NOTES = {
    "Old one, In KMS": "what the user portal says to the password from before, and to the one in the secret",
    "Calls": "of the API: six a rotation, two a duplicate",
    "queue batch": "mallory is unknown, so it is repeated, then kept; mallory is created, and it is fed back",
    "kill -9": "right after the reset, whose password nobody has seen",
    f"{NIGHTS} nights": f"at two the timer fires the scan; passwords live {PASSWORDS_LIVE} days here, and bob, who has "
    "no secret, is nobody's business",
}

ROTATED, ALREADY = "rotated", "already-rotated"
# Why a password was changed, as its user is told.
BECAUSE = {
    "alert": "because of an alert",
    "expiring": "before it expired",
    "manual": "by an administrator",
    "scheduled": "by a schedule",
}
# What may happen to a user, and what the portal then says to the password from before.
OLD_ONE = {ROTATED: "wrong", ALREADY: "ok", "protected": "ok", "disabled": "disabled", "unmanaged": "ok"}
NO_SECRET = ("protected", "disabled", "unmanaged", "user-not-found")


@dataclass
class Demo:
    """An installation, what was last known of everybody's password, and what turned out not to be as promised."""

    installed: Installation
    passwords: dict[str, str] = field(default_factory=dict)
    told: int = 0  # audit lines of the rotator that were looked at
    broken: list[str] = field(default_factory=list)
    step: Callable[[str], object] = lambda _step: None
    notice: str = ""

    def prepare(self) -> None:
        """Fill the directory: everybody has a first password, and it signs in."""
        for number, name in enumerate(USERS):
            self.passwords[name] = f"First-Pass-{number}!x"
            status = "Disabled" if name == "frank" else "Enabled"
            self.installed.add_user(name, self.passwords[name], status=status)
        signed_in = [self.installed.signs_in(name, self.passwords[name]) for name in USERS if name != "frank"]
        self.check(holds=set(signed_in) == {"ok"}, what="first passwords sign in")
        self.installed.max_password_age(PASSWORDS_LIVE)

    def carry_out(self, act: Callable[[], object]) -> tuple[dict[str, dict[str, Any]], int]:
        """Let something happen, and all that follows.

        Return the last audit line of each user, and how many API calls the rotator made.
        """
        self.installed.cloud.calls.clear()
        act()
        self.installed.settle()
        lines = list(self.installed.audit())
        news, self.told = lines[self.told :], len(lines)
        calls = self.installed.cloud.calls.count(role=f"{PREFIX}-reset-password")
        return {line["User"]: line for line in news}, calls

    def check_user(self, user: str, outcome: str) -> tuple[str, str]:
        """Check what an outcome means for a user at the portal and in KMS; return what to show of it."""
        before = self.passwords.get(user)
        old = kept = ""
        if before is not None:
            answer = self.installed.signs_in(user, before)
            shown = "refused" if outcome == ROTATED else ""
            what = f"the portal says {OLD_ONE[outcome]} to {user}'s password from before (it says {answer})"
            old = self.check(holds=answer == OLD_ONE[outcome], what=what, shown=shown)
        if outcome in NO_SECRET:
            self.check(holds=not self.installed.has_secret(user), what=f"{user} has no secret")
        else:
            password = self.current(user)
            accepted = self.installed.signs_in(user, password) == "ok"
            kept = self.check(holds=accepted, what=f"{user}'s password in KMS signs in", shown="signs in")
            self.check(holds=(password == before) == (outcome == ALREADY), what=f"{user}'s secret is {outcome}")
            self.passwords[user] = password
        return old, kept

    def current(self, user: str) -> str:
        """Return the password that readers of a user's secret get."""
        found = self.installed.secret(user).get("Password", "") if self.installed.has_secret(user) else ""
        return str(found)

    def check_nothing_leaked(self) -> None:
        """Check that nothing that the platform keeps holds a password that KMS holds."""
        kept = self.installed.everything_kept()
        keepers = [name for name in self.passwords if self.installed.has_secret(name)]
        held = {password for name in keepers for password in self.installed.passwords_of(name)}
        self.check(
            holds=not any(password in kept for password in held), what="no log, message or record has a password"
        )

    def check(self, *, holds: bool, what: str, shown: str = "") -> str:
        """Note what does not hold; return what to show of it in the table."""
        if not holds:
            self.broken.append(what)
        return f"[green]{shown}[/green]" if holds else CROSS


def main(tamper: Callable[[LocalCloud], object] = lambda _cloud: None, record: Path | None = None) -> int:
    """Run the demo; return 0 if everything came true.

    `tamper` is for the test that something does not. `record`: where the screen is drawn, if everything came true.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with console.status("Deploying s.yaml on the loopback cloud …") as status, running() as demo:
        demo.step = status.update
        demo.prepare()
        tamper(demo.installed.cloud)
        table = show(demo)
        demo.step("Looking for passwords where none may be …")
        demo.check_nothing_leaked()
    present(demo, table, console)
    if record is not None and not demo.broken:
        record.write_text(svg("make demo", partial(present, demo, table)), encoding="utf-8")
    return 1 if demo.broken else 0


def present(demo: Demo, table: Table, console: Console) -> None:
    """Print what happened."""
    console.print(table)
    for problem in demo.broken:
        console.print(f"{CROSS} This did not come true: {problem}", style="red")
    if demo.broken:
        console.print(
            "Nothing outside of this machine was touched. Run it once more, to see whether it was chance; if it was "
            "not, make test says more, and CONTRIBUTING.md where to go on.",
            highlight=False,
        )
    else:
        notes = Table.grid(padding=(0, 2, 0, 0))
        for term, text in {"Told by topic": f"[bold]{demo.notice}[/bold]", **NOTES}.items():
            notes.add_row(Text(f" {term}", style="cyan"), text)
        console.print(notes, highlight=False)
        console.print("\n [green]All of it was checked and came true.[/green]")


@contextlib.contextmanager
def running() -> Iterator[Demo]:
    """Serve a cloud and deploy s.yaml on it."""
    with LocalCloud(skip_waiting=True) as cloud:
        yield Demo(Installation(cloud, PROTECTED_USERS="root-*"))


def show(demo: Demo) -> Table:
    """Let everything happen, and lay out what became of it."""
    table = Table(
        title="cloudsso-rotator's s.yaml on the loopback cloud",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("Event", "User", "Outcome", "Version", "Old one", "In KMS"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Calls", justify="right")
    show_alert(demo, table)
    show_batch(demo, table)
    show_killed(demo, table)
    show_nights(demo, table)
    return table


def show_alert(demo: Demo, table: Table) -> None:
    """Put an alert on the event bus; then once more, as a redelivery would."""
    demo.step("An alert arrives, and arrives again …")
    alert = demo.installed.sample("security-alert.json")
    rows(demo, table, "alert", lambda: demo.installed.alert(alert), {"alice": ROTATED}, calls=ROTATION)
    tell(demo)
    rows(demo, table, "alert again", lambda: demo.installed.alert(alert), {"alice": ALREADY}, calls=DUPLICATE)
    table.add_section()


def tell(demo: Demo) -> None:
    """Word the message to the user, of what the topic of successes was told: enough for it, and no password."""
    (told,) = demo.installed.results() or [{}]
    (outcome,) = json.loads(told.get("responsePayload", "{}")).get("Outcomes", [{}])
    because, secret = BECAUSE.get(outcome.get("Reason"), "?"), outcome.get("SecretName")
    demo.notice = f"{outcome.get('UserName')}: your password was changed {because}; read secret {secret}"
    said = f"alice: your password was changed because of an alert; read secret {demo.installed.secret_name('alice')}"
    demo.check(holds=demo.notice == said, what=f"the topic is told enough to say: {said} (it says: {demo.notice})")
    held = demo.installed.passwords_of("alice") if demo.installed.has_secret("alice") else set()
    demo.check(holds=not any(password in json.dumps(told) for password in held), what="the topic gets no password")


def show_batch(demo: Demo, table: Table) -> None:
    """Send a batch with a message that nobody can carry out; mend the cause, and feed the dead letters back."""
    demo.step("A batch comes from the queue, and its dead letters once more …")
    bodies = [event["data"]["messageBody"] for event in demo.installed.sample(BATCH)]
    expected = {
        "carol": ALREADY,  # by the first of the four deliveries that the poison costs
        "dave": ALREADY,
        "root-admin": "protected",
        "frank": "disabled",
        "mallory": "user-not-found",
    }
    rows(demo, table, "queue batch", lambda: send(demo, bodies), expected, rotated=("carol", "dave"))
    letters = len(demo.installed.dead_letters())
    demo.check(holds=letters > 0, what="the batch that fails for good is kept in the dead letters")
    demo.installed.add_user("mallory")
    again = {"mallory": ROTATED, "carol": ALREADY, "dave": ALREADY}
    rows(demo, table, "dead letters", demo.installed.redrive, again)
    demo.check(holds=demo.installed.dead_letters() == [], what="no dead letter is left")
    table.add_section()


def show_killed(demo: Demo, table: Table) -> None:
    """Kill the instance when CloudSSO has reset a password that nobody has seen: the queue delivers once more."""
    demo.step("The instance is killed in the middle of a rotation …")
    demo.installed.cloud.faults.after("ResetUserPassword", demo.installed.kill_rotators)
    rows(demo, table, "kill -9", lambda: send(demo, ['{"UserName": "erin"}']), {"erin": ROTATED})
    demo.check(holds=demo.installed.resets().count(demo.installed.user_ids["erin"]) == 2, what="erin is reset twice")
    table.add_section()


def show_nights(demo: Demo, table: Table) -> None:
    """Let nights pass: at two the timer fires the scan, and the scan hands on who is due."""
    demo.step(f"{NIGHTS} nights pass, each with its scan …")
    expected = dict.fromkeys(("alice", "carol", "dave", "erin", "mallory"), ROTATED)
    rows(demo, table, f"{NIGHTS} nights", lambda: demo.installed.cloud.let_pass(NIGHTS * DAY), expected)
    unmanaged = demo.check_user("bob", "unmanaged")
    table.add_row("", "bob", "unmanaged", "", *unmanaged, "")
    scans = [line for line in demo.installed.audit(SCAN) if line["Outcome"] == "scanned"]
    demo.check(holds=len(scans) == NIGHTS, what=f"the timer fires {NIGHTS} times (it did {len(scans)} times)")
    demo.check(holds=sum(scan["Dispatched"] for scan in scans) == len(expected), what="everybody is dispatched once")


def rows(  # noqa: PLR0913 - what happens, to whom, and what is expected of it
    demo: Demo,
    table: Table,
    event: str,
    act: Callable[[], object],
    expected: Mapping[str, str],
    *,
    rotated: tuple[str, ...] = (),
    calls: int | None = None,
) -> None:
    """Let an event happen and check what becomes of everybody it is about; a row for each of them.

    `rotated`: whom an event rotates that is delivered more than once, so that its last delivery finds nothing to do.
    `calls`: how many it takes; shown where it does not depend on how messages are delivered.
    """
    lines, made = demo.carry_out(act)
    demo.check(holds=calls in (None, made), what=f"{event} takes {calls} calls (it took {made})")
    for number, (user, outcome) in enumerate(expected.items()):
        line = lines.get(user, {})
        said = line.get("Error") or line.get("Outcome", "nothing")
        demo.check(holds=said == outcome, what=f"{event}: {user} is {outcome} (the audit line says {said})")
        meant = ROTATED if user in rotated else outcome
        marks = ("", "") if outcome == "user-not-found" else demo.check_user(user, meant)
        shown = f"[yellow]{said}[/yellow]" if said not in OLD_ONE else with_attempt(meant, line)
        first = number == 0
        number_of_calls = str(made) if first and calls is not None else ""
        table.add_row(event if first else "", user, shown, line.get("VersionId", ""), *marks, number_of_calls)


def with_attempt(outcome: str, line: Mapping[str, Any]) -> str:
    """Return an outcome in words, with the claim that succeeded if it was not the first."""
    attempt = line.get("Attempt", 1)
    return f"{outcome}, try {attempt}" if outcome == ROTATED and attempt > 1 else outcome


def send(demo: Demo, bodies: list[str]) -> None:
    """Send messages to the queue of requests, all of them before it is looked into."""
    with demo.installed.cloud.timeline.busy():
        for body in bodies:
            demo.installed.cloud.smq.send(f"{PREFIX}-requests", body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--record", type=Path, metavar="FILE", help="draw the screen as an SVG")
    try:
        raise SystemExit(main(record=parser.parse_args().record))
    except KeyboardInterrupt:
        raise SystemExit("Stopped; everything that ran for the demo is gone.") from None

"""What is so before the commands of a section run, and what has to be so after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.localcloud.fc.backend import Target
from tests.localcloud.gateway.faults import Fault
from tests.runbook.world import World

FIRST = "First-Pass-01!x"
DAY = timedelta(days=1).total_seconds()
CLAIMED = 4  # claims that one message makes: it is delivered, and three times more

Act = Callable[[World], None]


@dataclass(frozen=True)
class Scenario:
    """One of them."""

    before: Act
    after: Act = lambda _world: None
    deployed: bool = True  # the README's first three steps were followed before
    shown: str = ""  # what the prose says that is seen, where its commands stand in sh blocks; in this order


def nothing(_world: World) -> None:
    """Leave everything as it is after a deployment."""


def users(world: World) -> None:
    """Let there be four users with first passwords; of alice there is a secret too."""
    for name in ("alice", "bob", "carol", "root-admin"):
        world.add_user(name, FIRST)
    if world.functions:
        world.send({"UserName": "alice"})
        world.later(600)


def signs_in(*names: str) -> Act:
    """Hold that the secrets of these users have the live password."""

    def check(world: World) -> None:
        assert {name: world.current_signs_in(name) for name in names} == dict.fromkeys(names, "ok")

    return check


def unpublished(world: World, attempts: int) -> None:
    """Let so many rotations of alice's password be reset and not published."""
    users(world)
    where = {"SecretName": world.secret_name("alice")}
    for _ in range(attempts):
        # The claim is the first put of a rotation; the publication is the second.
        world.cloud.faults.arm(Fault("PutSecretValue", "error", nth=2, count=9, status=403, code="X", where=where))
        world.invoke("reset_password", {"UserName": "alice"})
        world.cloud.faults.clear()
        world.later(600)


def stuck(world: World) -> None:
    """Let a rotation of alice's password be reset and not published."""
    unpublished(world, 1)


def refuse_secrets(world: World, *names: str) -> None:
    """Have KMS refuse to make these users' secrets, until the faults are cleared."""
    for name in names:
        where = {"SecretName": world.secret_name(name)}
        fault = Fault("CreateSecret", "error", count=999, status=403, code="Forbidden.NoPermission", where=where)
        world.cloud.faults.arm(fault)


def dead_letters(world: World) -> None:
    """Let requests about bob and carol have failed for good; the cause is gone by now."""
    users(world)
    refuse_secrets(world, "bob", "carol")
    world.send({"UserName": "bob"})
    world.send({"UserName": "carol"})
    world.cloud.faults.clear()
    assert len(world.letters("dead-letters")) == 2


def redriven(world: World) -> None:
    """Hold that no letter is left, nobody was forgotten, and the trigger is off as before."""
    assert world.letters("dead-letters") == world.letters("failed-redrives") == []
    assert not world.trigger("reset_password", "redrive").trigger_enable
    signs_in("alice", "bob", "carol")(world)


def unscanned(world: World, days: float) -> None:
    """Let alice have a password that lives for thirty days, and so many days pass in which the scan is turned off."""
    users(world)
    for resource, timer in (("scan_expiring", "daily"), ("rotation_status", "hourly")):  # the latter takes long
        world.cloud.timers.remove(Target(world.functions[resource].name), timer)
    world.max_password_age(30)
    world.cloud.clock.shift(days * DAY)


def expired(world: World) -> None:
    """Let alice's password be older than passwords live."""
    unscanned(world, 31)


def overdue(world: World) -> None:
    """Let alice have been due for more than two days."""
    unscanned(world, 20)


def contained(world: World) -> None:
    """Hold that alice can log on again, and with nothing but the new password, which has to be changed then."""
    assert world.current_signs_in("alice") == "change-required"
    assert world.signs_in("alice", FIRST) == "wrong"
    assert [call.params["NewStatus"] for call in world.cloud.calls.matching("UpdateUserStatus")] == [
        "Disabled",
        "Enabled",
    ]


def tagged(world: World) -> None:
    """Hold that bob has a secret now, on its way out, and carol was left alone."""
    assert world.signs_in("bob", FIRST) == "wrong"
    assert not world.has_secret("carol")
    assert world.signs_in("carol", FIRST) == "ok"


def moved(world: World) -> None:
    """Hold that no role may use another key than the new one."""
    documents = str(world.roles()["cloudsso-rotator-reset-password"])
    assert "key/*" not in documents
    assert "key/key-example" in documents
    signs_in("alice")(world)


def paused(world: World) -> None:
    """Hold that everything that was taken away is back."""
    assert world.trigger("reset_password", "alerts").trigger_enable
    assert world.trigger("reset_password", "requests").trigger_enable
    world.send({"UserName": "bob"})
    signs_in("bob")(world)


def gone(world: World) -> None:
    """Hold that nothing is deployed, and the password is what it was."""
    assert world.functions == {}
    assert world.roles() == {}


def sso(world: World) -> None:
    """Enable SSO logon."""
    users(world)
    world.enable_sso()


def used_up(world: World) -> None:
    """Let six attempts on alice have failed."""
    unpublished(world, 6)


def foreign(world: World) -> None:
    """Let somebody else have written alice's secret."""
    users(world)
    world.write_by_hand("alice", "v-by-hand")


def in_deletion(world: World) -> None:
    """Let somebody have deleted alice's secret."""
    users(world)
    world.delete_secret("alice")


def untagged(world: World) -> None:
    """Let the tags of alice's secret say that it was rotated long ago."""
    users(world)
    world.age_secret("alice", days=50)


def short(world: World) -> None:
    """Let passwords live for a week."""
    users(world)
    world.max_password_age(7)


def denied(world: World) -> None:
    """Take everything from the roles."""
    users(world)
    for name in world.roles():
        world.cloud.fc.add_role(name)


def one_role_denied(world: World) -> None:
    """Take everything from the role of the function that rotates, and let a request about bob fail for good of it."""
    users(world)
    world.cloud.fc.add_role("cloudsso-rotator-reset-password")
    world.send({"UserName": "bob"})
    assert len(world.letters("dead-letters")) == 1


def renamed(world: World) -> None:
    """Let alice have been alicia, who had a secret."""
    users(world)
    world.add_user("alicia", FIRST)
    world.send({"UserName": "alicia"})
    world.cloud.cloudsso.remove_user(world.user_ids["alicia"])


def deleted(world: World) -> None:
    """Delete alice, and leave her secret."""
    users(world)
    world.cloud.cloudsso.remove_user(world.user_ids["alice"])


def asked(world: World) -> None:
    """Hold that what was sent by hand was carried out."""
    assert world.outcomes()[-1] == ("alice", "rotated")
    assert len(world.outcomes()) == 2


def failing(world: World) -> None:
    """Let rotations fail for want of a permission, and the permission be back."""
    dead_letters(world)


OBSERVABILITY = "What happened"  # the whole of it, in one shell
OPERATIONS = "docs/operations.md"
README_DEPLOY = """
"Status": "CREATE_COMPLETE"
functionName: cloudsso-rotator-reset-password
functionName: cloudsso-rotator-scan-expiring
"Unmanaged": {"Count": 3, ...
"Outcome": "would-rotate", "UserName": "alice"
"Outcome": "rotated", "UserName": "alice"
r1 UserName DirectoryId UserId Password
"Healthy": true
"State": "fresh"
triggerName: requests
"StackId": ...
"StackId": ...
"""
SCENARIOS: dict[tuple[str, str], Scenario] = {
    ("README.md", "Deploy"): Scenario(users, gone, deployed=False, shown=README_DEPLOY),
    ("docs/observability.md", OBSERVABILITY): Scenario(users),
    ("docs/loopback-cloud.md", "Function Compute"): Scenario(users, asked, shown='"MessageId": ...'),
    (OPERATIONS, "Look first"): Scenario(users),
    (OPERATIONS, "A user cannot log on"): Scenario(stuck, signs_in("alice")),
    (OPERATIONS, "Rotate now"): Scenario(users, signs_in("alice", "bob", "carol")),
    (OPERATIONS, "Contain a compromised account"): Scenario(users, contained),
    (OPERATIONS, "Dead letters"): Scenario(dead_letters, redriven),
    (OPERATIONS, "A rotation failed"): Scenario(failing),
    (OPERATIONS, "A claim is stuck"): Scenario(stuck, signs_in("alice")),
    (OPERATIONS, "Expired passwords"): Scenario(expired, signs_in("alice")),
    (OPERATIONS, "Many failures"): Scenario(failing, paused),
    (OPERATIONS, "A scan failed"): Scenario(users),
    (OPERATIONS, "Verify with a dry run"): Scenario(users),
    (OPERATIONS, "Roll out by tags"): Scenario(users, tagged),
    (OPERATIONS, "Change the region, the key or the instance"): Scenario(users, gone),
    (OPERATIONS, "Upgrade this program"): Scenario(users, signs_in("alice")),
    (OPERATIONS, "Upgrade the SDKs"): Scenario(users, signs_in("alice")),
    (OPERATIONS, "Roll back"): Scenario(users, signs_in("alice")),
    (OPERATIONS, "Decommission"): Scenario(users, gone),
    (OPERATIONS, "`permission-missing`"): Scenario(denied),
    (OPERATIONS, "`endpoint-unreachable`"): Scenario(users),
    (OPERATIONS, "`sso-enabled`"): Scenario(sso),
    (OPERATIONS, "`overdue`"): Scenario(overdue, signs_in("alice")),
    (OPERATIONS, "`expired`"): Scenario(expired, signs_in("alice")),
    (OPERATIONS, "`stuck-claim`"): Scenario(stuck, signs_in("alice")),
    (OPERATIONS, "`failed-attempts`"): Scenario(used_up, signs_in("alice")),
    (OPERATIONS, "`secret-missing`"): Scenario(users, signs_in("bob")),
    (OPERATIONS, "`tag-stale`"): Scenario(untagged),
    (OPERATIONS, "`version-foreign`"): Scenario(foreign, signs_in("alice")),
    (OPERATIONS, "`secret-in-deletion`"): Scenario(in_deletion, signs_in("alice")),
    (OPERATIONS, "`user-renamed`"): Scenario(renamed, signs_in("alice")),
    (OPERATIONS, "`user-deleted`"): Scenario(deleted),
    (OPERATIONS, "`policy-short`"): Scenario(short),
}
EVERYDAY = Scenario(users)
UNDEPLOYED = Scenario(nothing, deployed=False)  # sections of other documents: about this machine


def scenario(document: str, heading: str) -> Scenario:
    """Return the scenario of a section."""
    return SCENARIOS.get((document, heading), EVERYDAY if document == OPERATIONS else UNDEPLOYED)

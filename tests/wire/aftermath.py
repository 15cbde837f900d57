"""What a soak leaves behind: what was lost, what has to be mended, what is not true, and what processes still hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.installation import ROTATOR, SCAN
from tests.localcloud.fc.processes import PROC
from tests.wire.soak import FIRST, LONGEST_SETTLING, Soak

_ROUNDS = 3  # of feeding back: as it is, after what had to be forced, and once more for those of the same batches


@dataclass(frozen=True)
class Footprint:
    """What a process holds, seen from outside."""

    descriptors: int
    threads: int
    megabytes: float

    @staticmethod
    def of(pid: int) -> Footprint:
        """Look at a process."""
        status = (PROC / str(pid) / "status").read_text(encoding="ascii").splitlines()
        facts = dict(line.split(":", 1) for line in status if ":" in line)
        return Footprint(
            descriptors=len(list((PROC / str(pid) / "fd").iterdir())),
            threads=int(facts["Threads"]),
            megabytes=round(int(facts["VmRSS"].split()[0]) / 1024, 1),
        )


def struck(soak: Soak) -> Counter[str]:
    """Return how many calls were struck, by kind of fault."""
    return Counter(call.fault for call in soak.cloud.calls if call.fault)


def lost(soak: Soak) -> list[str]:
    """Return what neither succeeded nor is a dead letter."""
    stream = soak.cloud.eventbridge.ends.of(f"{ROTATOR.function}/requests")
    messages = Counter(ended.end for ended in stream for _ in ended.events)
    tasks = Counter(task.state for task in soak.cloud.fc.accepted(ROTATOR))
    scans = Counter(task.state for task in soak.cloud.fc.accepted(SCAN))
    held = {
        "messages": messages["delivered"] + messages["dead-lettered"] == soak.sent["queue"],
        "asynchronous invocations": tasks["Succeeded"] + tasks["Failed"] == tasks.total(),
        "alerts and asynchronous requests": tasks.total() >= soak.sent["event bus"] + soak.sent["asynchronous"],
        "scans": scans["Succeeded"] + scans["Failed"] == soak.sent["timer"],
        "dead letters": len(soak.installed.dead_letters()) == messages["dead-lettered"] + tasks["Failed"],
        "failed scans": len(soak.installed.dead_letters("failed-scans")) == scans["Failed"],
    }
    return [what for what, holds in held.items() if not holds]


def mend(soak: Soak) -> int:
    """Feed back what failed; return how many users' rotations had failed so often that they had to be forced."""
    forced: set[str] = set()
    for _ in range(_ROUNDS):
        told = len(list(soak.installed.audit()))
        soak.installed.redrive()
        soak.installed.settle(LONGEST_SETTLING)
        last = {line["User"]: line for line in list(soak.installed.audit())[told:]}
        exhausted = {user for user, line in last.items() if line.get("Error") == "too-many-attempts"}
        for user in sorted(exhausted - forced):
            soak.installed.send({"UserName": user, "Force": True})
        soak.installed.settle(LONGEST_SETTLING)
        forced |= exhausted
    return len(forced)


def wrong(soak: Soak) -> list[str]:
    """Return of whom it is not true that they sign in with what KMS has, rotated since every request."""
    found = []
    for user, since in soak.asked.items():
        resets = soak.cloud.cloudsso.resets(soak.installed.user_ids[user])
        held = {
            "KMS has another password": soak.installed.current_signs_in(user) == "ok",
            "the first password is still live": soak.installed.signs_in(user, FIRST) == "wrong",
            "not rotated since the latest request": resets[-1] >= since,
        }
        found += [f"{user}: {what}" for what, holds in held.items() if not holds]
    return found

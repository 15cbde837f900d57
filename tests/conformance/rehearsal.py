"""The same trials on a loopback cloud: what `make conformance` will do is told by doing it here first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conformance.account import Account, Key
from tests.conformance.bench import Bench
from tests.conformance.gate import Pace
from tests.localcloud.deployed import deploy
from tests.localcloud.server import DIRECTORY_REGION, FC_REGION, KMS_REGION, LocalCloud

FUNCTION = Path(__file__).with_name("function") / "s.yaml"
PREFIX = "rotator-conformance-"


@dataclass(frozen=True)
class Stage:
    """A loopback cloud with everything that a trial can ask for, and an account on it."""

    cloud: LocalCloud
    account: Account

    def bench(self) -> Bench:
        """Return a bench on which time passes by the cloud's clock."""
        return Bench(self.account, Pace(self.let_pass))

    def let_pass(self, seconds: float) -> None:
        """Let everything happen that is due, and time pass."""
        if seconds:
            self.cloud.timeline.settle(60)
            self.cloud.clock.shift(seconds)


@contextmanager
def stage(real: Account | None = None) -> Iterator[Stage]:
    """Set a stage with all that the suite can use; for the account given, with only what that one allows."""
    with LocalCloud(skip_waiting=True) as cloud:
        user_id = cloud.cloudsso.add_user(f"{real.prefix if real else PREFIX}synchronized")
        cloud.cloudsso.synchronize_user(user_id)
        account = Account(
            key=Key(cloud.admin.access_key_id, cloud.admin.access_key_secret, cloud.admin.security_token),
            directory_id=cloud.cloudsso.directory_id,
            directory_region=DIRECTORY_REGION,
            kms_region=KMS_REGION,
            fc_region=FC_REGION,
            prefix=PREFIX,
            function=f"{PREFIX}function",
            synchronized_user=user_id,
            may_enable_sso=True,
            endpoint=cloud.endpoint,
        )
        if real is not None:
            account = replace(
                account,
                prefix=real.prefix,
                function=real.function,
                synchronized_user=user_id if real.synchronized_user else None,
                may_enable_sso=real.may_enable_sso,
            )
        if account.function is not None:
            deploy(cloud, FUNCTION, {"CONFORMANCE_FUNCTION": account.function}, {})
        yield Stage(cloud, account)

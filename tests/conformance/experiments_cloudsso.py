"""Which readings CloudSSO follows where its documentation is silent."""

from __future__ import annotations

from tests.conformance.bench import Bench
from tests.conformance.catalogue import Reading, experiment
from tests.conformance.users import User
from tests.conformance.verdicts import ACCEPTED, SkippedError, UnclearError, answer_to

_A_MOMENT = 2.0  # seconds: times are told to the second


@experiment("CloudSSO")
def current_password_settable(bench: Bench) -> Reading:
    """Set the live password again."""
    user = bench.users.create()
    password = bench.users.new_password(user)
    bench.users.set(user, password)
    return answer_to(lambda: bench.users.set(user, password)) == ACCEPTED


@experiment("CloudSSO")
def synchronized_resettable(bench: Bench) -> Reading:
    """Reset a user that SCIM keeps, if there is one for it."""
    user_id = bench.account.synchronized_user
    if user_id is None:
        message = "CONFORMANCE_SYNCHRONIZED_USER_ID is not set: the id of a throwaway user that SCIM keeps"
        raise SkippedError(message)
    user = bench.users.named(user_id)
    kind = bench.users.get(user).provision_type
    if kind != "Synchronized":
        message = f"the user of CONFORMANCE_SYNCHRONIZED_USER_ID is {kind}"
        raise UnclearError(message)
    return answer_to(lambda: bench.users.generate(user)) == ACCEPTED


@experiment("CloudSSO")
def disabled_resettable(bench: Bench) -> Reading:
    """Reset a disabled user."""
    user = bench.users.create(status="Disabled")
    return answer_to(lambda: bench.users.generate(user)) == ACCEPTED


@experiment("CloudSSO")
def sso_enabled(bench: Bench) -> Reading:
    """Reset while SSO logon is enabled: where it is anyway, or where it may be enabled for a moment."""
    user = bench.users.create()
    if bench.users.sso_status() == "Enabled":
        return _refused_by_sso(bench, user)
    if not bench.account.may_enable_sso:
        message = "CONFORMANCE_ALLOW_SSO is not the directory's id: while SSO logon is enabled no password signs in"
        raise SkippedError(message)
    bench.users.enable_sso()
    return _refused_by_sso(bench, user)


@experiment("CloudSSO")
def password_refused(bench: Bench) -> Reading:
    """Set passwords that the policy forbids: one too short, and one used before, where the policy minds."""
    user = bench.users.create()
    answers = {answer_to(lambda: bench.users.set(user, "Aa1!"))}
    if bench.users.policy().password_reuse_prevention:
        first = bench.users.new_password(user)
        bench.users.set(user, first)
        bench.users.set(user, bench.users.new_password(user))
        answers.add(answer_to(lambda: bench.users.set(user, first)))
    return one_of(answers)


@experiment("CloudSSO")
def reset_touches_update_time(bench: Bench) -> Reading:
    """Look at UpdateTime before and after a reset."""
    user = bench.users.create()
    before = bench.users.get(user).update_time
    bench.wait(_A_MOMENT)
    bench.users.generate(user)
    return bool(bench.users.get(user).update_time != before)


def one_of(answers: set[str]) -> str:
    """Return the one answer that was given each time."""
    if len(answers) > 1:
        raise UnclearError(", ".join(sorted(answers)))
    return answers.pop()


def _refused_by_sso(bench: Bench, user: User) -> str:
    return answer_to(lambda: bench.users.set_anyway(user, bench.users.new_password(user)))

"""What CloudSSO is counted on for."""

from __future__ import annotations

import re

from shared.cloudsso import OPT_IN
from shared.password import plausible
from tests.conformance.bench import Bench
from tests.conformance.catalogue import behaviour
from tests.conformance.verdicts import ACCEPTED, answer_to, expect, expect_refusal

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_CLASSES = (str.islower, str.isupper, str.isdigit, lambda character: not character.isalnum())


@behaviour("CloudSSO", "A new user is enabled, kept by hand, and dated in UTC, to the second")
def a_new_user(bench: Bench) -> None:
    shown = bench.users.get(bench.users.create())
    expect(shown.status == "Enabled", f"Status {shown.status}")
    expect(shown.provision_type == "Manual", f"ProvisionType {shown.provision_type}")
    expect(TIME.fullmatch(shown.create_time) is not None, f"CreateTime {shown.create_time}")


@behaviour("CloudSSO", "A user is found by the name, in any case, and nobody else with it")
def found_by_name(bench: Bench) -> None:
    user, other = bench.users.create(), bench.users.create()
    expect(bench.eventually(lambda: bench.users.names(f"UserName eq {user.name}") == [user.name]), "not found")
    expect(bench.users.names(f"UserName eq {user.name.upper()}") == [user.name], "not found in another case")
    expect(other.name not in bench.users.names(f"UserName eq {user.name}"), "another user is found")


@behaviour("CloudSSO", "`UserName sw` finds whoever begins so, page after page")
def found_by_beginning(bench: Bench) -> None:
    users = [bench.users.create() for _ in range(3)]
    begin = users[0].name[:-3]
    wanted = {user.name for user in users}
    expect(bench.eventually(lambda: wanted <= set(bench.users.names(f"UserName sw {begin}"))), "not all are found")
    page = bench.users.page(f"UserName sw {begin}", max_results=2)
    expect(page.is_truncated and bool(page.next_token), "a full page does not say that there is more")
    expect(page.total_counts >= len(users) and len(page.users) == 2, f"{len(page.users)} of {page.total_counts}")
    expect(wanted <= set(bench.users.names(f"UserName sw {begin}", max_results=2)), "pages lose somebody")


@behaviour("CloudSSO", "The last page is not truncated")
def the_last_page(bench: Bench) -> None:
    user = bench.users.create()
    bench.eventually(lambda: bench.users.names(f"UserName eq {user.name}") == [user.name])
    page = bench.users.page(f"UserName eq {user.name}")
    expect([one.user_name for one in page.users] == [user.name], "not found")
    expect(not page.is_truncated, "truncated")


@behaviour("CloudSSO", "A listing shows tags")
def tags_are_listed(bench: Bench) -> None:
    key, value = OPT_IN
    user = bench.users.create(tags={key: value})
    asked = f"UserName eq {user.name}"
    expect(bench.eventually(lambda: bench.users.names(asked) == [user.name]), "not found")
    (shown,) = bench.users.page(asked).users
    expect([(tag.key, tag.value) for tag in shown.tags or []] == [(key, value)], "other tags")


@behaviour("CloudSSO", "A user name is given once")
def names_are_given_once(bench: Bench) -> None:
    user = bench.users.create()
    expect_refusal(lambda: bench.users.create_again(user))


@behaviour("CloudSSO", "A deleted user is not found any more, and cannot be reset")
def deleted_users(bench: Bench) -> None:
    user = bench.users.create()
    bench.users.delete(user)
    expect(bench.eventually(lambda: bench.users.names(f"UserName eq {user.name}") == []), "still listed")
    seen = answer_to(lambda: bench.users.generate(user))
    expect(seen.startswith("4") and "EntityNotExists.User" in seen, seen)


@behaviour("CloudSSO", "An unknown directory does not exist")
def unknown_directories(bench: Bench) -> None:
    seen = answer_to(lambda: bench.users.policy("d-00000000000000"))
    expect(seen.startswith("4") and "EntityNotExists.Directory" in seen, seen)


@behaviour("CloudSSO", "The password policy says how many days a password lives, from 1 to 120")
def the_policy_has_an_age(bench: Bench) -> None:
    age = bench.users.policy().max_password_age
    expect(isinstance(age, int) and 1 <= age <= 120, f"MaxPasswordAge {age!r}")


@behaviour("CloudSSO", "Whether SSO logon is enabled is told")
def sso_is_told(bench: Bench) -> None:
    status = bench.users.sso_status()
    expect(status in {"Enabled", "Disabled"}, f"SSOStatus {status!r}")


@behaviour("CloudSSO", "A generated password is in the answer, of every class of characters, and each is another one")
def generated_passwords(bench: Bench) -> None:
    user = bench.users.create()
    first, second = (bench.users.generate(user).new_password for _ in range(2))
    expect(plausible(first) and plausible(second), "no password")
    expect(first != second, "the same password twice")
    lacking = [test for test in _CLASSES if not any(test(character) for character in first)]
    expect(not lacking, f"{len(lacking)} classes of characters are missing")


@behaviour("CloudSSO", "A password is accepted in the form body, and not answered")
def set_passwords(bench: Bench) -> None:
    user = bench.users.create()
    answer = bench.users.set(user, bench.users.new_password(user))
    expect(set(answer) == {"RequestId"}, f"the answer has {', '.join(sorted(answer))}")


@behaviour("CloudSSO", "That the user must change the password is accepted")
def must_change(bench: Bench) -> None:
    user = bench.users.create()
    expect(plausible(bench.users.generate(user, must_change=True).new_password), "no password")


@behaviour("CloudSSO", "A reset without a password, and without asking for one, is refused")
def no_password(bench: Bench) -> None:
    user = bench.users.create()
    expect_refusal(lambda: bench.users.set(user, None))


@behaviour("CloudSSO", "A password that the policy forbids is refused, and a good one is accepted after it")
def the_policy_holds(bench: Bench) -> None:
    user = bench.users.create()
    expect_refusal(lambda: bench.users.set(user, "short"))
    expect_refusal(lambda: bench.users.set(user, "only-lower-case-letters"))
    seen = answer_to(lambda: bench.users.set(user, bench.users.new_password(user)))
    expect(seen == ACCEPTED, seen)

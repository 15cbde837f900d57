"""CloudSSO's passwords: the administrator's reset, and the sign-in that shows which password is live.

Source: the ResetUserPassword page, "Set a password policy", and "Log on to the CloudSSO user portal".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from tests.localcloud.api import ApiError, Call, Json
from tests.localcloud.cloudsso.directory import Directory, Login, User
from tests.localcloud.cloudsso.policy import HISTORY, PasswordHash
from tests.localcloud.parameters import flag, optional, refusal, refuse_missing, required

Answer = Literal[
    "ok", "change-required", "wrong", "expired", "locked", "disabled", "sso", "unknown-user", "no-password"
]
_LOCK = timedelta(hours=1)  # "Max attempts": the account is locked for one hour
_PROMPT = timedelta(days=20)  # from 20 days before expiry the portal prompts at each logon


@dataclass(frozen=True)
class SignIn:
    """What the user portal answers."""

    answer: Answer
    user_id: str | None = None
    expiring: bool = False  # the portal says that the password expires within 20 days


@dataclass
class Passwords:
    """The passwords of one directory."""

    directory: Directory
    generate: Callable[[str], str] | None = None  # user name -> password; None: by the policy

    def reset(self, call: Call) -> Json:
        """Answer ResetUserPassword.

        Undocumented: Password together with GenerateRandomPassword. Here generation wins and Password is ignored,
        because NewPassword "is returned only when the new password is automatically generated".
        """
        user_id, generated = required(call, "UserId"), flag(call, "GenerateRandomPassword")
        change_required = flag(call, "RequirePasswordResetForNextLogin")
        if not generated and optional(call, "Password") is None:
            refuse_missing("Password")
        self.directory.check(call)
        user = self._resettable(user_id)
        password = self._generated(user) if generated else self._accepted(user, call.params["Password"])
        self._apply_reset(user, password, change_required=change_required)
        return {"NewPassword": password} if generated else {}

    def sign_in(self, user_name: str, password: str) -> SignIn:
        """Try a password as the portal does: who may not log on is told before the password is looked at."""
        user = self.directory.roll.named(user_name)
        if user is None:
            return SignIn("unknown-user")
        login = self._unlocked(self.directory.login(user.user_id))
        barred = self._barred(user, login)
        if barred is not None:
            return SignIn(barred, user.user_id)
        right = login.hashes[0].matches(password)
        self._count(user, login, right=right)
        return self._welcome(user, login) if right else SignIn("wrong", user.user_id)

    def change(self, user_name: str, old: str, new: str) -> SignIn:
        """Change one's own password, as a forced change asks; it obeys the policy and must be a new one.

        An expired password cannot be changed by its user: "must ask an administrator".
        """
        answer = self.sign_in(user_name, old)
        user = self.directory.roll.named(user_name)
        if user is None or answer.answer not in ("ok", "change-required"):
            return answer
        password = self._accepted(user, new, live_settable=False)
        self._set(user, self.directory.login(user.user_id), password)
        return SignIn("ok", user.user_id)

    def _resettable(self, user_id: str) -> User:
        """Return the user if a reset is allowed at all. All the codes are guesses: none is published."""
        user, switches = self.directory.user(user_id), self.directory.switches()
        if self.directory.settings.saml.sso_enabled:
            raise refusal(switches.sso_enabled, "After SSO logon is enabled, a password cannot be reset.")
        if user.provision_type == "Synchronized" and not switches.synchronized_resettable:
            raise ApiError(400, "OperationDenied.SynchronizedUser", "The user is synchronized by SCIM.")
        if user.status == "Disabled" and not switches.disabled_resettable:
            raise ApiError(400, "OperationDenied.DisabledUser", "The user is disabled.")
        return user

    def _generated(self, user: User) -> str:
        make = self.generate or self.directory.settings.policy.generate
        return make(user.user_name)

    def _accepted(self, user: User, password: str, *, live_settable: bool | None = None) -> str:
        """Return the password if the policy and the history allow it."""
        settable = self.directory.switches().current_password_settable if live_settable is None else live_settable
        complaint = self.directory.settings.policy.complaint(password, user.user_name)
        if complaint is None and self._repeats(self.directory.login(user.user_id), password, live_settable=settable):
            complaint = "was used before"
        if complaint is not None:
            raise refusal(self.directory.switches().password_refused, f"The password {complaint}.")
        return password

    def _repeats(self, login: Login, password: str, *, live_settable: bool) -> bool:
        """Tell whether a password repeats one that it may not repeat.

        The live one is judged by the switch alone, even when PasswordReusePrevention is 0; PasswordReusePrevention
        counts the ones before it. Two readings of "history" are kept apart like this, and neither hides the other.
        """
        live, before = login.hashes[:1], login.hashes[1:]
        if any(hashed.matches(password) for hashed in live):
            return not live_settable
        counted = before[: self.directory.settings.policy.password_reuse_prevention]
        return any(hashed.matches(password) for hashed in counted)

    def _apply_reset(self, user: User, password: str, *, change_required: bool) -> None:
        now, switches = self.directory.clock.now(), self.directory.switches()
        login = self.directory.login(user.user_id)
        if switches.reset_unlocks:
            login = msgspec.structs.replace(login, failures=0, locked_until=None)
        counted = msgspec.structs.replace(login, resets=(*login.resets, now))
        self._set(user, counted, password, change_required=change_required)
        if switches.reset_touches_update_time:
            self.directory.keep_user(msgspec.structs.replace(user, update_time=now))

    def _set(self, user: User, login: Login, password: str, *, change_required: bool = False) -> None:
        """Make a password the live one; the age starts anew, and the live one set again is not a second entry."""
        hashes = login.hashes
        if not (hashes and hashes[0].matches(password)):
            hashes = (PasswordHash.of(password), *hashes)[: HISTORY + 1]
        now = self.directory.clock.now()
        live = msgspec.structs.replace(login, hashes=hashes, set_at=now, change_required=change_required)
        self.directory.keep_login(user.user_id, live)

    def _unlocked(self, login: Login) -> Login:
        """Return the login as it is after a lock that has run out."""
        if login.locked_until is None or self.directory.clock.now() < login.locked_until:
            return login
        return msgspec.structs.replace(login, failures=0, locked_until=None)

    def _barred(self, user: User, login: Login) -> Answer | None:
        if self.directory.settings.saml.sso_enabled:
            return "sso"
        if user.status == "Disabled":
            return "disabled"
        if not login.hashes:
            return "no-password"
        return "locked" if login.locked_until else None

    def _count(self, user: User, login: Login, *, right: bool) -> None:
        """Count an attempt; the one that reaches MaxLoginAttempts locks, and the next is told so."""
        failures = 0 if right else login.failures + 1
        limit = self.directory.settings.policy.max_login_attempts
        locks = limit > 0 and failures >= limit
        until = self.directory.clock.now() + _LOCK if locks else None
        counted = msgspec.structs.replace(login, failures=failures, locked_until=until)
        if counted != self.directory.login(user.user_id):
            self.directory.keep_login(user.user_id, counted)

    def _welcome(self, user: User, login: Login) -> SignIn:
        """Answer the right password; after HardExpire it is of no use."""
        now = self.directory.clock.now()
        expires = (login.set_at or now) + timedelta(days=self.directory.settings.policy.max_password_age)
        if now >= expires:
            return SignIn("expired", user.user_id)
        answer: Answer = "change-required" if login.change_required else "ok"
        return SignIn(answer, user.user_id, expiring=now >= expires - _PROMPT)

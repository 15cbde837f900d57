"""The commands that mend things, exactly as a person types them: Serverless Devs (`s`, where s.yaml is) and `aliyun`.

What a command is about comes from outside, so it is quoted for a shell wherever it stands: a person will paste it.
"""

from __future__ import annotations

import json
import shlex

import msgspec

from shared.model import DirectoryId, SecretName, UserName

RECOVERY = "30"  # days in which a deleted secret can be restored; the most that KMS allows
DOCTOR = """s rotation_status invoke --event '{"Doctor": true}'"""
EVERYBODY = "s rotation_status invoke --event '{}'"
WHO_IS_NEXT = """s scan_expiring invoke --event '{"DryRun": true}'"""
WHY_FAILED = "s reset_password logs --search failed"
WAITING = "waiting dead-letters"  # as docs/operations.md#your-shell defines it
SCAN = "s scan_expiring invoke --event '{}'"
DEPLOY = "s deploy -y"
UPDATE_ROLES = (
    (
        'make stack && aliyun ros UpdateStack --RegionId "$FC_REGION" --StackId "$STACK_ID"'
        ' --UsePreviousParameters true --TemplateBody "$(cat docs/stack.json)"'
    ),
    # That answers before anything is updated.
    'aliyun ros GetStack --RegionId "$FC_REGION" --StackId "$STACK_ID" --waiter expr=Status to=UPDATE_COMPLETE',
)


def rotate(user: UserName, **fields: object) -> str:
    """Return what rotates a user's password now, or as the fields of a request say."""
    return f"s reset_password invoke --event {shlex.quote(json.dumps({'UserName': user, **fields}))}"


class Commands(msgspec.Struct, frozen=True):
    """The commands that name where things are."""

    directory_id: DirectoryId
    cloudsso_region: str
    kms_region: str

    def directories(self) -> str:
        """Return what lists the account's directories."""
        return _aliyun("cloudsso", "ListDirectories", RegionId=self.cloudsso_region)

    def password_policy(self) -> str:
        """Return what reads the directory's password policy: the smallest call there is."""
        return self._directory("GetPasswordPolicy")

    def max_password_age(self, days: int) -> str:
        """Return what lets passwords live so many days."""
        return self._directory("SetPasswordPolicy", MaxPasswordAge=str(days))

    def disable_sso(self) -> str:
        """Return what disables SSO logon."""
        return self._directory("SetExternalSAMLIdentityProvider", SSOStatus="Disabled")

    def secrets(self) -> str:
        """Return what lists one secret: the smallest call there is."""
        return self._kms("ListSecrets", PageSize="1")

    def restore(self, secret: SecretName) -> str:
        """Return what takes a secret back that is scheduled for deletion."""
        return self._kms("RestoreSecret", SecretName=secret)

    def delete(self, secret: SecretName) -> str:
        """Return what schedules a secret for deletion."""
        return self._kms("DeleteSecret", SecretName=secret, RecoveryWindowInDays=RECOVERY)

    def delete_now(self, secret: SecretName) -> str:
        """Return what deletes a secret for good, so that its name is free at once."""
        return self._kms("DeleteSecret", SecretName=secret, ForceDeleteWithoutRecovery="true")

    def _directory(self, action: str, **parameters: str) -> str:
        where = {"RegionId": self.cloudsso_region, "DirectoryId": self.directory_id}
        return _aliyun("cloudsso", action, **where, **parameters)

    def _kms(self, action: str, **parameters: str) -> str:
        return _aliyun("kms", action, RegionId=self.kms_region, **parameters)


def _aliyun(product: str, action: str, **parameters: str) -> str:
    return " ".join(["aliyun", product, action, *(f"--{key} {_word(text)}" for key, text in parameters.items())])


def _word(text: str) -> str:
    """Return text as a word of a shell: without what prints nothing, which no name of KMS has, and terminals obey."""
    return shlex.quote("".join(c if c.isprintable() else "?" for c in text))

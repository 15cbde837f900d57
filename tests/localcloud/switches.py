"""Every behaviour that Alibaba Cloud does not document, as a named switch with the likelier reading first.

The rotator must work under every reading; tests/wire runs it under each. Which one a real service follows, the
experiments of tests/conformance find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints


@dataclass(frozen=True)
class Switches:
    """The readings in force; the first value of each is the default."""

    # KMS: PutSecretValue of an existing id with other data "is rejected"; with which status and code is not said.
    put_other_data: Literal[
        "409 Rejected.ResourceExist",
        "400 Rejected.DuplicateVersionId",
        "400 InvalidParameter",
        "403 Forbidden.Conflict",
    ] = "409 Rejected.ResourceExist"
    # KMS: which version goes when an eleventh arrives (two help pages disagree).
    purge: Literal["earliest", "earliest-without-stage"] = "earliest"
    # KMS: may an id that was purged be written again?
    purged_id_returns: bool = True
    # KMS: does a repeated put (same id, same data) move the stages it names?
    repeated_put_moves_stages: bool = False
    # KMS: may PutSecretValue or UpdateSecretVersionStage take a custom stage that sits on another version?
    stage_can_be_taken: bool = True
    # KMS: does ACSPrevious follow when ACSCurrent is named explicitly (put) or moved (UpdateSecretVersionStage)?
    previous_follows: bool = True
    # KMS: does ListSecrets' SecretName filter match exactly or by prefix?
    name_filter: Literal["prefix", "exact"] = "prefix"
    # CloudSSO: may the password that is live be set again?
    current_password_settable: bool = False
    # CloudSSO: may a user that SCIM synchronized be reset?
    synchronized_resettable: bool = False
    # CloudSSO: may a disabled user be reset?
    disabled_resettable: bool = True
    # CloudSSO: the code of a reset while SSO logon is enabled.
    sso_enabled: Literal[
        "400 OperationDenied.SSOEnabled", "409 OperationConflict.SSO", "403 Forbidden.Operation", "400 InvalidParameter"
    ] = "400 OperationDenied.SSOEnabled"
    # CloudSSO: the code of a password that breaks the policy or repeats the history.
    password_refused: Literal[
        "400 InvalidParameter.Password", "400 PasswordPolicyViolation", "409 OperationConflict.Password"
    ] = "400 InvalidParameter.Password"
    # CloudSSO: does a reset unlock a locked user?
    reset_unlocks: bool = True
    # CloudSSO: does a reset move the user's UpdateTime?
    reset_touches_update_time: bool = False
    # KMS: what calls about a secret that waits for its deletion are told (creating it anew is documented).
    secret_in_deletion: Literal[
        "409 Rejected.Unavailable", "409 Rejected.ResourceInDeleteWindow", "404 Forbidden.ResourceNotFound"
    ] = "409 Rejected.Unavailable"
    # KMS: does SecretDataType count when a repeated put is compared with what is stored?
    data_type_counts: bool = False
    # KMS: what becomes of UpdateSecretVersionStage when RemoveFromVersion does not carry the stage?
    wrong_remove_from: Literal["refused", "ignored"] = "refused"
    # FC: the code of an asynchronous task id that was used before; the status is documented.
    task_exists: Literal[
        "409 StatefulAsyncInvocationAlreadyExists", "409 AsyncTaskAlreadyExists", "409 TaskAlreadyExists"
    ] = "409 StatefulAsyncInvocationAlreadyExists"
    # FC: how long does the asynchronous queue wait between a function error and the retry?
    async_retry_delay: Literal["10 s", "0 s", "60 s"] = "10 s"
    # EventBridge: does `asyncInvocationType: true` mean asynchronous? (The SDK's docstring says synchronous.)
    async_invocation_type: Literal["true is async", "true is sync"] = "true is async"
    # EventBridge: do retryStrategy and deadLetterQueue count in event mode? (fc3's documentation says no.)
    run_options_of_rules: bool = False
    # EventBridge: does deliveryOption.concurrency count for a queue? (The SDK's docstring says for Kafka only.)
    queue_concurrency: bool = False
    # EventBridge: what does a dead-letter queue get of a batch?
    dead_letters: Literal["one-each", "whole-batch"] = "one-each"
    # EventBridge: what does IsBase64Decode make of a body that is not base64?
    undecodable_body: Literal["kept", "mangled"] = "kept"


def values(switch: str) -> tuple[Any, ...]:
    """Return every reading that a switch can have."""
    return get_args(_HINTS[switch]) or (True, False)


_HINTS = get_type_hints(Switches)

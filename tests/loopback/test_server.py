from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from alibabacloud_cloudsso20210515 import models as sso_models
from alibabacloud_kms20160120 import models as kms_models
from alibabacloud_tea_openapi.exceptions import ClientException
from darabonba.exceptions import UnretryableException

from tests.localcloud.gateway.faults import Fault
from tests.localcloud.server import LocalCloud
from tests.localcloud.state import MemoryStore, SqliteStore
from tests.localcloud.switches import Switches
from tests.loopback import clients

PASSWORD = "Marker-9$ecret!"


def create_user(cloud: LocalCloud, name: str = "alice") -> str:
    """Create a user through the SDK, and return the id."""
    request = sso_models.CreateUserRequest(directory_id=cloud.cloudsso.directory_id, user_name=name)
    user_id = clients.cloudsso(cloud).create_user(request).body.user.user_id
    assert isinstance(user_id, str)
    return user_id


def reset(cloud: LocalCloud, user_id: str, password: str | None = None) -> str | None:
    """Reset a password through the SDK: to this one, or to a generated one."""
    request = sso_models.ResetUserPasswordRequest(
        directory_id=cloud.cloudsso.directory_id,
        user_id=user_id,
        password=password,
        generate_random_password=password is None,
    )
    new: str | None = clients.cloudsso(cloud).reset_user_password(request).body.new_password
    return new


def test_the_passwords_of_a_generated_and_a_given_reset_sign_in(cloud: LocalCloud) -> None:
    user = create_user(cloud)
    generated = reset(cloud, user) or ""
    assert cloud.sign_in("alice", generated).answer == "ok"
    assert reset(cloud, user, PASSWORD) is None
    assert cloud.sign_in("alice", generated).answer == "wrong"
    assert cloud.sign_in("alice", PASSWORD).answer == "ok"


def test_a_user_changes_the_own_password_at_the_portal(cloud: LocalCloud) -> None:
    reset(cloud, create_user(cloud), PASSWORD)
    cloud.change_password("alice", PASSWORD, "Another-9$ecret!")
    assert cloud.sign_in("alice", "Another-9$ecret!").answer == "ok"


def test_a_secret_goes_through_both_sdks_methods_unharmed(cloud: LocalCloud) -> None:
    client = clients.kms(cloud)
    data = '{"UserName": "ä b", "Password": "+&=%~*$"}'
    clients.create_secret(client, "team/alice", data)
    assert clients.current(client, "team/alice") == data


def test_the_largest_secret_fits(cloud: LocalCloud) -> None:
    client = clients.kms(cloud)
    clients.create_secret(client, data="%" * 30720)
    assert len(clients.current(client)) == 30720


def test_the_log_of_calls_says_who_did_what_and_what_became_of_it(cloud: LocalCloud) -> None:
    with pytest.raises(ClientException):
        clients.current(clients.kms(cloud), "none")
    record = cloud.calls.matching("GetSecretValue")[0]
    assert (record.role, record.status, record.code) == ("admin", 404, "Forbidden.ResourceNotFound")
    assert (record.applied, record.fault, record.params) == (False, None, {"SecretName": "none"})


def test_the_log_of_calls_counts_and_forgets(cloud: LocalCloud) -> None:
    clients.create_secret(clients.kms(cloud))
    clients.current(clients.kms(cloud))
    clients.current(clients.kms(cloud))
    assert (len(cloud.calls), cloud.calls.count(), cloud.calls.count("GetSecretValue")) == (3, 3, 2)
    assert cloud.calls.actions() == ["CreateSecret", "GetSecretValue", "GetSecretValue"]
    cloud.calls.clear()
    assert cloud.calls.actions() == []


def test_a_call_nobody_signed_is_logged_without_a_role(cloud: LocalCloud) -> None:
    clients.send(cloud, "/?Action=ListSecrets&Version=2016-01-20")
    assert cloud.calls.count("ListSecrets", role=None, status=400, code="IncompleteSignature") == 1


def test_no_secret_value_is_in_the_log_of_calls(cloud: LocalCloud) -> None:
    reset(cloud, create_user(cloud), PASSWORD)
    clients.create_secret(clients.kms(cloud), data=PASSWORD)
    clients.create_secret(clients.kms(cloud, signature_algorithm="v2"), "t", PASSWORD)
    log = repr(list(cloud.calls)) + repr(cloud.calls.as_json())
    assert PASSWORD not in log
    assert str(cloud.admin.security_token) not in log
    assert cloud.calls.matching("ResetUserPassword")[0].params["Password"] == "***"


def test_switches_can_be_changed_while_the_cloud_runs(cloud: LocalCloud) -> None:
    client = clients.kms(cloud)
    clients.create_secret(client)
    codes = []
    for reading in ("400 InvalidParameter", "403 Forbidden.Conflict"):
        cloud.switches = replace(cloud.switches, put_other_data=reading)
        with pytest.raises(ClientException) as caught:
            clients.put(client, "v1", "other")
        codes.append(f"{caught.value.status_code} {caught.value.code}")
    assert codes == ["400 InvalidParameter", "403 Forbidden.Conflict"]


def test_switches_can_be_given_at_the_start() -> None:
    with LocalCloud(switches=Switches(put_other_data="400 InvalidParameter")) as cloud:
        clients.create_secret(clients.kms(cloud))
        with pytest.raises(ClientException) as caught:
            clients.put(clients.kms(cloud), "v1", "other")
        assert caught.value.code == "InvalidParameter"


def test_the_clock_moves_what_the_services_write(cloud: LocalCloud) -> None:
    cloud.clock.shift(400 * 86400)
    clients.create_secret(clients.kms(cloud))
    described = clients.kms(cloud).describe_secret(kms_models.DescribeSecretRequest(secret_name="s")).body
    assert described.create_time[:10] == cloud.clock.now().strftime("%Y-%m-%d")


def test_of_many_writers_of_one_version_exactly_one_wins(cloud: LocalCloud) -> None:
    client = clients.kms(cloud)
    clients.create_secret(client)

    def attempt(number: int) -> bool:
        try:
            clients.put(client, "v2", f"writer {number}")
        except ClientException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(16)))
    assert sum(won) == 1
    assert clients.current(client) == f"writer {won.index(True)}"


def test_a_stopping_cloud_lets_go_of_calls_that_hang() -> None:
    with LocalCloud() as cloud:
        cloud.faults.arm(Fault("ListSecrets", "hang"))
        caught: list[type[BaseException]] = []

        def hang() -> None:
            with pytest.raises(UnretryableException) as error:
                clients.kms(cloud).list_secrets(kms_models.ListSecretsRequest())
            caught.append(error.type)

        caller = threading.Thread(target=hang)
        caller.start()
        assert cloud.calls.wait_for("ListSecrets", applied=True)
    caller.join(5)
    assert caught == [UnretryableException]


def test_a_stopped_cloud_answers_no_more_and_its_port_is_free() -> None:
    with LocalCloud() as first:
        port = int(first.endpoint.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
    with LocalCloud(port=port) as second:
        assert second.endpoint == f"127.0.0.1:{port}"


def test_a_port_that_is_taken_is_an_error_at_the_start(cloud: LocalCloud) -> None:
    other = LocalCloud(port=int(cloud.endpoint.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        other.start()


class WatchedStore(MemoryStore):
    """A store that notes of every write whether it was part of a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped: list[bool] = []
        self._inside = False

    def save(self, kind: str, key: str, data: bytes) -> None:
        self.grouped.append(self._inside)
        super().save(kind, key, data)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._inside = True
        yield
        self._inside = False


def test_whatever_a_call_writes_is_written_in_one_transaction() -> None:
    store = WatchedStore()
    with LocalCloud(store=store) as cloud:
        store.grouped.clear()
        clients.create_secret(clients.kms(cloud))
        reset(cloud, create_user(cloud))
    assert store.grouped
    assert all(store.grouped)


def test_users_and_secrets_survive_a_restart(tmp_path: Path) -> None:
    with LocalCloud(store=SqliteStore(tmp_path / "state")) as before:
        reset(before, create_user(before), PASSWORD)
        clients.create_secret(clients.kms(before), data="kept")
        clients.put(clients.kms(before), "v2", "newer")
    with LocalCloud(store=SqliteStore(tmp_path / "state")) as after:
        assert after.sign_in("alice", PASSWORD).answer == "ok"
        assert clients.current(clients.kms(after)) == "newer"
        with pytest.raises(ClientException):
            clients.put(clients.kms(after), "v2", "other")

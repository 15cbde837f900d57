"""The users of a directory and their secrets, as administrators and readers have to do with them.

Passwords are tried at the user portal, and secrets are read by the unmodified official SDK: what a test says of them is
what people would find.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alibabacloud_cloudsso20210515 import models as sso
from alibabacloud_cloudsso20210515.client import Client as CloudSsoClient
from alibabacloud_kms20160120 import models as kms
from alibabacloud_kms20160120.client import Client as KmsClient
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from shared.settings import DEFAULT_TEMPLATE
from tests.localcloud.server import DIRECTORY_REGION, KMS_REGION, LocalCloud

VERSIONS = {"cloudsso": "2021-05-15", "kms": "2016-01-20"}
REGIONS = {"cloudsso": DIRECTORY_REGION, "kms": KMS_REGION}


class Estate:
    """Everything that passwords are about, on one cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.directory_id = cloud.cloudsso.directory_id
        self.user_ids: dict[str, str] = {}
        self._sso = CloudSsoClient(self._admin(DIRECTORY_REGION))
        self._kms = KmsClient(self._admin(KMS_REGION))

    def add_user(self, name: str, password: str | None = None, *, status: str = "Enabled") -> str:
        """Create a user as an administrator would, with a first password if one is given; return the user id."""
        request = sso.CreateUserRequest(directory_id=self.directory_id, user_name=name, status=status)
        user_id: str = self._sso.create_user(request).body.user.user_id
        self.user_ids[name] = user_id
        if password:
            reset = sso.ResetUserPasswordRequest(directory_id=self.directory_id, user_id=user_id, password=password)
            self._sso.reset_user_password(reset)
        return user_id

    def secret_name(self, name: str) -> str:
        return DEFAULT_TEMPLATE.format(directory_id=self.directory_id, user_name=name)

    def secret(self, name: str, stage: str = "ACSCurrent") -> dict[str, Any]:
        """Read a user's secret as an authorized reader would."""
        request = kms.GetSecretValueRequest(secret_name=self.secret_name(name), version_stage=stage)
        value: dict[str, Any] = json.loads(self._kms.get_secret_value(request).body.secret_data)
        return value

    def has_secret(self, name: str) -> bool:
        """Tell whether there is a secret for a user."""
        return self.secret_name(name) in self.cloud.kms.secret_names()

    def tags(self, name: str) -> dict[str, str]:
        request = kms.DescribeSecretRequest(secret_name=self.secret_name(name), fetch_tags="true")
        return {tag.tag_key: tag.tag_value for tag in self._kms.describe_secret(request).body.tags.tag}

    def everything_in(self, name: str) -> list[str]:
        """Return the data of every version of a user's secret, claims too: what must be found nowhere else."""
        secret = self.secret_name(name)
        request = kms.ListSecretVersionIdsRequest(secret_name=secret, include_deprecated="true", page_size=100)
        listed = self._kms.list_secret_version_ids(request).body.version_ids.version_id
        values = [kms.GetSecretValueRequest(secret_name=secret, version_id=version.version_id) for version in listed]
        return [self._kms.get_secret_value(value).body.secret_data for value in values]

    def passwords_of(self, name: str) -> set[str]:
        """Return every password and candidate that KMS holds for a user."""
        values = [json.loads(data) for data in self.everything_in(name)]
        found = {value.get("Password") or value.get("Claim", {}).get("Candidate") for value in values}
        return {password for password in found if password}

    def signs_in(self, name: str, password: str) -> str:
        """Try a password at the user portal."""
        return self.cloud.sign_in(name, password).answer

    def current_signs_in(self, name: str) -> str:
        """Try the password that KMS holds for a user at the user portal."""
        return self.signs_in(name, self.secret(name)["Password"])

    def enable_sso(self) -> None:
        request = sso.SetExternalSAMLIdentityProviderRequest(directory_id=self.directory_id, ssostatus="Enabled")
        self._sso.set_external_samlidentity_provider(request)

    def max_password_age(self, days: int) -> None:
        """Let passwords live so many days."""
        self._sso.set_password_policy(
            sso.SetPasswordPolicyRequest(directory_id=self.directory_id, max_password_age=days)
        )

    def age_secret(self, name: str, *, days: float) -> None:
        """Tag a user's secret as rotated so many days ago, as a tag says that was not renewed since."""
        moment = self.cloud.clock.now() - timedelta(days=days)
        tags = [{"TagKey": "RotatedAt", "TagValue": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}]
        self._kms.tag_resource(kms.TagResourceRequest(secret_name=self.secret_name(name), tags=json.dumps(tags)))

    def untag(self, name: str, *keys: str) -> None:
        """Take tags off a user's secret."""
        self._kms.untag_resource(
            kms.UntagResourceRequest(secret_name=self.secret_name(name), tag_keys=json.dumps(keys))
        )

    def delete_secret(self, name: str) -> None:
        """Schedule a user's secret for deletion."""
        self._kms.delete_secret(kms.DeleteSecretRequest(secret_name=self.secret_name(name)))

    def write_by_hand(self, name: str, version: str) -> None:
        """Write a version of a user's secret as somebody else would."""
        value = kms.PutSecretValueRequest(secret_name=self.secret_name(name), version_id=version, secret_data=version)
        self._kms.put_secret_value(value)

    def later(self, seconds: float) -> None:
        """Let time pass, and what is on its way land."""
        self.cloud.release_late()
        self.cloud.clock.shift(seconds)

    def endpoints(self) -> dict[str, str]:
        """Return the settings that lead a function to this cloud and this directory."""
        return {
            "CLOUDSSO_DIRECTORY_ID": self.directory_id,
            "CLOUDSSO_REGION": DIRECTORY_REGION,
            "CLOUDSSO_ENDPOINT": f"http://{self.cloud.endpoint}",
            "KMS_REGION": KMS_REGION,
            "KMS_ENDPOINT": f"http://{self.cloud.endpoint}",
        }

    def administer(self, product: str, action: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Make any call as an administrator, by the SDK's generic client; return the answer. Raises a DaraException."""
        how = Params(
            action=action,
            version=VERSIONS[product],
            protocol="HTTP",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        client: Any = Client(self._admin(REGIONS[product]))
        answer: dict[str, Any] = client.call_api(how, OpenApiRequest(query=dict(parameters)), RuntimeOptions())["body"]
        return answer

    def _admin(self, region: str) -> Config:
        admin = self.cloud.admin
        return Config(
            endpoint=self.cloud.endpoint,
            protocol="HTTP",
            region_id=region,
            access_key_id=admin.access_key_id,
            access_key_secret=admin.access_key_secret,
            security_token=admin.security_token,
        )

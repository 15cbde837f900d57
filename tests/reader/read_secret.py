"""Read a secret as an application would: with the official cache client, and print its data.

It runs in an interpreter of its own (requirements.txt beside it). Usage:

    read_secret.py 127.0.0.1:PORT SECRET_NAME

with the access key in ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a temporary key,
ALIBABA_CLOUD_SECURITY_TOKEN. Three properties of the client decide how it can be pointed at loopback: it always
speaks HTTPS with verification off, so any certificate will do; it takes an endpoint with a port, because the endpoint
goes into the URL as it is; and it pings hosts through a shell only to rank two or more regions, so it gets one. It
signs in the legacy form (HMAC-SHA1).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from importlib import import_module  # no type checker sees the client: it is in the reader's own interpreter only
from typing import Protocol

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
REGION = "cn-hangzhou"
CLIENT = "alibaba_cloud_secretsmanager_client"


class CacheClient(Protocol):
    """What is used of the official cache client."""

    def get_secret_value(self, secret_name: str) -> str:
        """Return the text of the version that is ACSCurrent, from the cache if it is there."""

    def close(self) -> None:
        """Stop refreshing."""


def main(endpoint: str, secret_name: str) -> None:
    """Print the data of the version that is ACSCurrent."""
    for name in PROXIES:  # the client honours them, for loopback too
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    client = cache_client(endpoint)
    try:
        sys.stdout.write(client.get_secret_value(secret_name) + "\n")
    finally:
        client.close()


def cache_client(endpoint: str) -> CacheClient:
    """Return the official cache client for one endpoint."""
    inner = import_module(f"{CLIENT}.service.default_secret_manager_client_builder")
    region = import_module(f"{CLIENT}.model.region_info").RegionInfo(REGION, endpoint=endpoint)
    builder = inner.DefaultSecretManagerClientBuilder.standard().with_credentials(credentials())
    builder = builder.add_region_info(region)
    outer = import_module(f"{CLIENT}.secret_manager_cache_client_builder").SecretManagerCacheClientBuilder
    client: CacheClient = outer.new_cache_client_builder(builder.build()).with_logger(quiet_logger()).build()
    return client


def credentials() -> object:
    """Return the access key of the environment as the old SDK wants it."""
    kinds = import_module("aliyunsdkcore.auth.credentials")
    key = (os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"], os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    token = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN")
    credential: object = kinds.StsTokenCredential(*key, token) if token else kinds.AccessKeyCredential(*key)
    return credential


def quiet_logger() -> logging.Logger:
    """Return a logger that prints nothing: without one the client writes its progress to standard error."""
    logger = logging.getLogger("reader")
    logger.addHandler(logging.NullHandler())
    return logger


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The context that each Python runtime hands to a function.

Sources: the "Context" page for Python 3.12 (exactly these attributes); for 3.10 the same page of FC 2.0. What is named
otherwise or missing in one of them is so there. Standard library only: an instance has nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

Headers = Mapping[str, str]


class Credentials:
    """Those of the function's role, for this invocation."""

    def __init__(self, headers: Headers) -> None:
        self.access_key_id = headers.get("x-fc-access-key-id", "")
        self.access_key_secret = headers.get("x-fc-access-key-secret", "")
        self.security_token = headers.get("x-fc-security-token", "")


class Function:
    """The function, as both runtimes describe it."""

    def __init__(self, headers: Headers) -> None:
        self.name = headers["x-fc-function-name"]
        self.handler = headers["x-fc-function-handler"]
        self.memory = int(headers["x-fc-function-memory"])
        self.timeout = int(headers["x-fc-function-timeout"])


class VersionedFunction(Function):
    """The function, as the 3.12 runtime describes it: a version of its own, where FC 2.0 has a service's."""

    def __init__(self, headers: Headers) -> None:
        super().__init__(headers)
        self.version_id = headers.get("x-fc-version-id", "")
        self.qualifier = headers.get("x-fc-qualifier", "")


class Service:
    """The service, for the runtimes that know one."""

    def __init__(self, headers: Headers) -> None:
        self.name = headers.get("x-fc-service-name", "")
        self.log_project = headers.get("x-fc-service-logproject", "")
        self.log_store = headers.get("x-fc-service-logstore", "")
        self.qualifier = headers.get("x-fc-qualifier", "")
        self.version_id = headers.get("x-fc-version-id", "")


class Tracing:
    """Tracing, which is off."""

    def __init__(self) -> None:
        self.span_context = None
        self.jaeger_endpoint = None
        self.base64_baggages = ""


class Context310:
    """The context of the Python 3.10 runtime: it carries the credentials."""

    def __init__(self, headers: Headers) -> None:
        self.account_id = headers["x-fc-account-id"]
        self.request_id = headers["x-fc-request-id"]
        self.credentials = Credentials(headers)
        self.function = Function(headers)
        self.service = Service(headers)
        self.region = headers["x-fc-region"]
        self.tracing = Tracing()
        self.logger: logging.Logger | None = None  # so it is where an instance serves one request at a time
        self.retry_count = int(headers.get("x-fc-retry-count", "0"))


class Context312:
    """The context of the Python 3.12 runtime: no credentials, no service, no tracing, no retry count."""

    def __init__(self, headers: Headers) -> None:
        self.account_id = headers["x-fc-account-id"]
        self.request_id = headers["x-fc-request-id"]
        self.function = VersionedFunction(headers)
        self.region = headers["x-fc-region"]
        self.log_project = headers.get("x-fc-service-logproject", "")
        self.log_store = headers.get("x-fc-service-logstore", "")
        self.logger: logging.Logger | None = None

    def getLogger(self) -> logging.Logger:  # noqa: N802 - the page's own spelling
        """Return the logger, and keep it as `logger`."""
        self.logger = logging.getLogger()
        return self.logger


Context = Context310 | Context312


def context_for(runtime: str, headers: Headers) -> Context:
    """Return the context of a runtime for one request."""
    return Context312(headers) if runtime == "python3.12" else Context310(headers)

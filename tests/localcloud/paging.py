"""Paging as CloudSSO does it: MaxResults 1 to 100 (10), an opaque NextToken that is there only when truncated.

Source: the ListUsers page of CloudSSO.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Sequence

from tests.localcloud.api import Call, Json
from tests.localcloud.parameters import optional, refuse_invalid, whole


def page_of(numbers: Sequence[int], call: Call) -> tuple[Sequence[int], Json]:
    """Return one page of an ascending sequence, and the paging fields of its answer.

    The token remembers the last number shown, not a position: what comes and goes between two pages shifts nothing.
    """
    size = whole(call, "MaxResults", 10, 1, 100)
    start = bisect_right(numbers, _last_shown(call))
    part = numbers[start : start + size]
    truncated = start + size < len(numbers)
    fields: Json = {"IsTruncated": truncated, "MaxResults": size, "TotalCounts": len(numbers)}
    if truncated:
        fields["NextToken"] = _token(part[-1])
    return part, fields


def _token(number: int) -> str:
    return base64.urlsafe_b64encode(f"after {number}".encode()).decode()


def _last_shown(call: Call) -> int:
    token = optional(call, "NextToken")
    if token is None:
        return -1
    try:
        return int(base64.urlsafe_b64decode(token).removeprefix(b"after "))
    except ValueError:
        refuse_invalid("NextToken", "is not a token of this service")

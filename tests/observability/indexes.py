"""The field index of the log store: every field of audit lines, with the type that its values have.

Function Compute writes each line of a function as a log of its own, with the text in `message`; Log Service takes that
for JSON where it is. In queries the fields are therefore `message.Outcome` and so on.

Source: Function Compute "Log field details"; Log Service "Create indexes" and "Data types" (true and false are indexed
as text), CreateIndex of API 2020-12-30; ROS ALIYUN::SLS::Index.
"""

from __future__ import annotations

from typing import Any

from shared.audit import FIELDS, Kind
from shared.scan import EXCLUDED

Json = dict[str, Any]

TEXT = "message"  # the field of a log that has a function's own line
DELIMITERS = ",'\";=()[]{}?@&<>/:\n\t\r"
LONGEST_TEXT = 16_384  # bytes of a value that are indexed; Log Service allows no more
_TYPES = {Kind.WHOLE: "long", Kind.NUMBER: "double"}  # all others are text
_PLATFORM = ("functionName", "requestId")  # what else is searched for, in every log of Function Compute


def leaves() -> dict[str, str]:
    """Return the type of every value that an audit line may have, by its path in the line."""
    found: dict[str, str] = {}
    for name, field in FIELDS.items():
        if field.kind is Kind.COUNTS:
            found |= {f"{name}.{fate.value}": "long" for fate in EXCLUDED}
        else:
            found[name] = _TYPES.get(field.kind, "text")
    return found


def index() -> Json:
    """Return the index as CreateIndex takes it."""
    words = {"caseSensitive": False, "chn": False, "token": list(DELIMITERS)}
    paths = {path: {"type": kind, "doc_value": True} for path, kind in leaves().items()}
    return {
        "line": words,
        "keys": {
            TEXT: {"type": "json", "doc_value": True, **words, "index_all": False, "max_depth": 2, "json_keys": paths},
            **{name: {"type": "text", "doc_value": True, **words} for name in _PLATFORM},
        },
        "max_text_len": LONGEST_TEXT,
    }


def properties() -> Json:
    """Return the same index as ROS takes it."""
    words = {"CaseSensitive": False, "IncludeChinese": False, "Delimiter": DELIMITERS}
    paths = [{"Name": path, "Type": kind, "EnableAnalytics": True} for path, kind in leaves().items()]
    return {
        "FullTextIndex": {"Enable": True, **words},
        "KeyIndices": [
            {"Name": TEXT, "Type": "json", "EnableAnalytics": True, **words, "JsonKeyIndices": paths},
            *({"Name": name, "Type": "text", "EnableAnalytics": True, **words} for name in _PLATFORM),
        ],
    }

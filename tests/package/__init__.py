"""The package that is deployed, and how it is made. Why it is as it is: docs/decisions/0011-package.md."""

from tests.package.local import for_this_interpreter

__all__ = ["for_this_interpreter"]

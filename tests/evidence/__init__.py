"""The evidence that docs/evidence.md publishes: produced by tests from the real code, and compared at every run."""

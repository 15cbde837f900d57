"""One suite per port, run against every implementation of it: the fakes of the tests, and the adapters on a wire."""

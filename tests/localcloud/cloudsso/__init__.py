"""CloudSSO, API 2021-05-15, and its user portal, as a state machine."""

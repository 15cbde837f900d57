"""KMS Secrets Manager, API 2016-01-20, as a state machine."""

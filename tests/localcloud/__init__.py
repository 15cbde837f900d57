"""The loopback cloud: CloudSSO, KMS and RAM over HTTP on 127.0.0.1, for the unmodified official SDKs."""

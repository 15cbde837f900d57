"""One contract for CloudSSO, KMS and Function Compute, through the official SDKs: on loopback, or on a real account."""

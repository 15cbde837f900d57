"""Simple Message Queue (formerly MNS): queues and topics of one account."""

"""From bytes on a socket to a call of a service and back: signatures, faults, authorization, answers."""

"""What goes around s.yaml: the stack of roles, queues and logs that it names and cannot declare. Never deployed."""

"""What the functions are made of; docs/architecture.md has the map."""

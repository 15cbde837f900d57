"""RAM: roles, keys, and what policies allow."""

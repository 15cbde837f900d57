"""Finds passwords that are about to expire."""

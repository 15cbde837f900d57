"""Rotates passwords."""

"""Mutation testing: the real code is changed in a thousand small ways, and the tests must notice every one of them."""

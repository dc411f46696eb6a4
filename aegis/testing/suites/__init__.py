"""The checks, a module a kind."""

"""Checkpoints: immutable, content-addressed folders, and which of them decides."""

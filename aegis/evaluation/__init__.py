"""Measuring policies: the seeded gym over a corpus, its oracle, rollouts and intervals.

Import from the modules; nothing here is loaded before it is used.
"""

"""research-gym: seeded practice over a corpus, its search, its hidden judge and its oracle.

Import from the modules; nothing here is loaded before it is used.
"""

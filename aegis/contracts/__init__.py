"""What plugins and the host agree on: data, roles, manifests, and the check of a composition.

Nothing here imports numpy, torch or a database.
"""

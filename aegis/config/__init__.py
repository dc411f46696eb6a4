"""The configuration: reading aegis.toml, its overrides, and checking every key of it.

Nothing here imports a component; the classes of their sections come in their manifests.
"""

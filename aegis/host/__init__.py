"""The plugin host: what is enabled, what it provides, and how it is composed and built."""

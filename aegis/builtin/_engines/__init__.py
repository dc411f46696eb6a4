"""The engines without weights: imported when they are built."""

"""New plugins: distributions that work as they are written."""

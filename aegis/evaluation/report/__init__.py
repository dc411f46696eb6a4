"""The page of a comparison: what it shows, drawn and in tables, in one file."""

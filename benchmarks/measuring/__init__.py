"""What the scripts beside this folder measure with."""

"""What the agent learned, with where it comes from; what it wants to learn; what it misses."""

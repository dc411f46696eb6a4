"""What the builtin library tools do; imported when they are built or called."""

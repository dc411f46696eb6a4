"""The Hierarchical Reasoning Model: shape, layers, recursion, halting, losses, optimisers."""

"""A trainer that teaches a causal language model preferences with TRL."""

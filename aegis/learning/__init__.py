"""Learning from the ledger: experience in and out, what there is of it, and training on it."""

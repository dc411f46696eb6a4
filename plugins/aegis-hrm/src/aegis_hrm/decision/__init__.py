"""Decisions with the model: views and candidates as ids, the network over them, batches."""

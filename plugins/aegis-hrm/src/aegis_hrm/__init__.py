"""An engine that decides with a Hierarchical Reasoning Model, and its own tokenizer."""

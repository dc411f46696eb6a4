"""An engine that decides with a causal language model: the bundled mini, GPT-2, or a folder."""

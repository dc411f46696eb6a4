"""An engine and a trainer without torch: what a candidate pays, by ridge regression."""

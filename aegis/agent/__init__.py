"""The running agent: goals, views, candidates, decisions, outcomes, and the loop around them."""

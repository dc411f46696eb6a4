"""Learning from rewards: action values, and policies that follow them."""

"""BabyAI levels and gymnasium's environments with text views."""

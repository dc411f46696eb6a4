"""Puzzles that the model is known for: sudoku of 6x6 and 9x9, and mazes."""

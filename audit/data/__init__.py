"""Data sources: each gives the same Dataset."""

"""Proof that notebooks work, by acting as a user."""

"""What can be wrong on a single host."""

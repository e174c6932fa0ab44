"""The hub on another manager: what goes with it, and how its services change their node."""

"""How the system is now: the overview, logs, and shells."""

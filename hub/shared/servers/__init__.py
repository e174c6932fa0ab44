"""What a server is: its settings, mounts, spec and place, and when it is idle."""

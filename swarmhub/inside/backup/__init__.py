"""Save what the hub or people have with restic, say what is saved, and put it back; sent to a container, as it is."""

"""Who may log in, and which UID and GID people have."""

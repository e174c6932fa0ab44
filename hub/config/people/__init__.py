"""How people log in: the provider, its options, and their groups."""

"""Images from a bundle, from one node to others, and newer ones from registries."""

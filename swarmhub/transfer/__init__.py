"""Bring images from one node to the others, without any registry: each layer leaves the source once, and passes from node to node."""

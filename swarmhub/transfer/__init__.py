"""Bring images from a node to the others without a registry: each layer leaves the source once and passes from node to node."""

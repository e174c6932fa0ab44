"""Notebook images of the operator's own: what goes into each, from a folder or a list of packages."""

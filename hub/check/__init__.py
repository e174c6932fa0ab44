"""Load the whole configuration in the new image, before the hub is touched."""

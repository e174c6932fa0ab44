"""What goes into the hub's image: importable there and in the tests as `hub`."""

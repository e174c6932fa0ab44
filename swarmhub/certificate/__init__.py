"""The TLS certificate: where it comes from, whether it is still good, and whether the hub answers with it."""

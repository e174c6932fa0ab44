"""The hub's and the proxy's image: what goes into them, what they are built on, and how old they are."""

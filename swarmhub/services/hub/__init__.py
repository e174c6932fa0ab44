"""The hub's service: its spec and update, the check before it, and where people's servers are found."""

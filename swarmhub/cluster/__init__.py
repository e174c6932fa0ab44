"""The swarm's nodes: in, out, and what they can take."""

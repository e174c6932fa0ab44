"""A three-node swarm in containers, with an ACME server and a GitHub stand-in.

The demo and the tests run on it. It needs a local Docker Engine and nothing
that listens on more than 127.0.0.1.
"""

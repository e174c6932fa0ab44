"""Bring an image's layers from node to node: take them from the node before, keep them, pass them on, give them to the engine.

It runs in a container on every node that takes part, with the engine's socket, from Python's standard library alone. Layers are
compressed once, by the source, and pass from node to node as they are.
"""

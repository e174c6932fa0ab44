"""What both sides read: the hub in its container, and the operator's tools."""

"""The images that a deploy needs: notebook images pulled on every node, the hub's and the proxy's built on the manager."""

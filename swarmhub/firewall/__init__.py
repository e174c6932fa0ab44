"""The firewall rules that keep notebooks away from the nodes and from each other, and the service that keeps them."""

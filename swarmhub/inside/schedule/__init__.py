"""Make backups on the cluster itself, when they are due; sent to a container on every node, as it is."""

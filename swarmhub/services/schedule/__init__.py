"""The service that makes backups on the cluster, a container on every node, and how it says that these stand."""

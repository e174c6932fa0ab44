"""Find everything that a deployment has left on the cluster, and remove it."""

"""What runs on the cluster besides people's servers, and the network and the volume that it needs."""

"""What Swarm has besides nodes: services with their specs, secrets and configs."""

"""The parts of Docker that several rooms need: containers, a build context, ports, root; what Swarm has is in `swarm/`."""

"""The parts of Docker that several rooms need: containers, images, services, secrets and configs."""

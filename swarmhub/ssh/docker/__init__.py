"""The Docker Engine API over the run's SSH connection. docker-py is used here and nowhere else."""

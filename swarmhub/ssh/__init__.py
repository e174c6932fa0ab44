"""SSH and the Docker Engine API through it. Fabric, Paramiko and docker-py are used here and nowhere else."""

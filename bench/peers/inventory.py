"""The lab's nodes, as pyinfra reaches them."""

import os

HOST = {"ssh_config_file": os.environ["CONFIG"]}
manager = [(os.environ["MANAGER"], HOST)]
workers = [(host, HOST) for host in os.environ["HOSTS"].split() if host != os.environ["MANAGER"]]

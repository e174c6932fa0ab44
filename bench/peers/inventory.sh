#!/bin/sh
# The lab's nodes, as Ansible reaches them.
workers=$(for host in $HOSTS; do [ "$host" = "$MANAGER" ] || printf ',"%s"' "$host"; done)
printf '{"manager": {"hosts": ["%s"]}, "workers": {"hosts": [%s]}, "_meta": {"hostvars": {}},' "$MANAGER" "${workers#,}"
printf '"all": {"vars": {"ansible_ssh_common_args": "-F %s"}}}\n' "$CONFIG"

#!/bin/sh
# Make the control groups usable by a nested engine, then run sshd and dockerd under runit.
set -eu

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    # v2: a group that holds processes cannot hand controllers to its children.
    mount -o remount,rw /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/init
    xargs -rn1 < /sys/fs/cgroup/cgroup.procs > /sys/fs/cgroup/init/cgroup.procs || :
    sed -e 's/ / +/g' -e 's/^/+/' < /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
    # v1: a plain "remount,rw" is refused inside a container; the bind flag makes it this mount's alone.
    for group in /sys/fs/cgroup/*; do
        mountpoint -q "$group" && mount -o remount,bind,rw "$group"
    done
fi

# What an engine that was stopped hard leaves behind would keep the next one from starting.
rm -f /run/docker.pid /var/run/docker/containerd/containerd.pid
exec runsvdir -P /etc/service

#!/bin/sh
# Make the control groups usable by a nested engine, mount what keeps files, then run sshd and dockerd under runit.
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

# Docker's volumes lie on XFS with project quotas, where this kernel has them: "size=" of a volume needs that.
volumes=/var/lib/docker/volumes
image=/var/lib/docker/volumes.xfs

mount_image() {
    [ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
    for _ in 1 2 3 4 5 6 7 8; do # the other nodes look for a free device at the same time
        device=$(losetup --find) || return
        device=${device%% *} # it says "(lost)" behind one that has no node in /dev
        [ -e "$device" ] || mknod "$device" b 7 "${device#/dev/loop}"
        losetup "$device" "$1" && break
        sleep 0.1
    done
    mount -o pquota "$device" "$volumes" || { losetup --detach "$device"; return 1; }
    losetup --detach "$device" # takes effect when the mount goes, however the node ends
}

mkdir -p "$volumes"
if [ -e "$image" ]; then
    # Not to go on without: all volumes would seem to be gone. Docker starts the node again.
    mount_image "$image"
elif truncate -s 8G "$image.new" && mkfs.xfs -q -f "$image.new" && mount_image "$image.new" 2> /var/log/volumes.log; then
    mv "$image.new" "$image"
else
    echo "no quotas on this node: its kernel cannot mount XFS with project quotas (/var/log/volumes.log)" >&2
    rm -f "$image.new"
fi

# The folder that all nodes share. "umount /mnt/shared" takes it away from one of them; this gives it back.
mount /mnt/shared

# As on a host with systemd: what Docker mounts is seen in containers that ask for it.
mount --make-rshared /

# What an engine that was stopped hard leaves behind would keep the next one from starting.
rm -f /run/docker.pid /var/run/docker/containerd/containerd.pid
exec runsvdir -P /etc/service

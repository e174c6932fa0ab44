#!/bin/sh
# Write the disks of a machine that are missing into a folder, from the container that this runs in: its system, and what its
# engine holds.
set -eu
to=$1

if [ ! -e "$to/root.img" ]; then
    # What is mounted in the container, such as /etc/hosts, is not on the disk: the files below are.
    mkdir -p /mnt/root
    mount --bind / /mnt/root
    cp /etc/lab/hosts /mnt/root/etc/hosts
    cp /etc/lab/resolv.conf /mnt/root/etc/resolv.conf
    cp /etc/lab/fstab /mnt/root/etc/fstab
    # By it, systemd takes the machine for a container, and does not read the kernel's command line.
    rm -f /mnt/root/.dockerenv
    mkdir -p /mnt/root/var/lib/docker
    cp -L /vmlinuz "$to/vmlinuz"
    cp -L /initrd.img "$to/initrd.img"
    rm -f "$to/root.new"
    mke2fs -q -t ext4 -L root -d /mnt/root "$to/root.new" 6G
    umount /mnt/root
    mv "$to/root.new" "$to/root.img"
fi

if [ ! -e "$to/docker.img" ]; then
    sv -w 60 stop docker
    umount /var/lib/docker/volumes 2> /dev/null || :
    # The lab's volumes with quotas, what tells one engine from another, and the networks of this one.
    (cd /var/lib/docker && rm -rf volumes volumes.xfs engine-id swarm network)
    rm -f "$to/docker.new"
    mke2fs -q -t ext4 -L docker -d /var/lib/docker "$to/docker.new" 10G
    mv "$to/docker.new" "$to/docker.img"
fi

"""Two nodes as whole machines: Debian's own kernel in QEMU, for what the kernel of this machine may lack."""

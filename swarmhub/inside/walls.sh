# Keep a chain of rules in the firewall of the node that this runs on, by the host's own iptables.
# CHAIN is its name, IPV4 and IPV6 are its rules as `iptables -S` writes them; usage: sh walls.sh keep|check|list
PATH=$PATH:/usr/sbin:/sbin
BRIDGE=docker_gwbridge  # by it, containers of services reach whatever is not on their overlay networks
SECONDS_BETWEEN=5

families() {
  echo iptables
  # Older engines leave IPv6 alone, and then containers have none; with some kernels it cannot be closed either.
  ! ip6tables -w 5 -S >/dev/null 2>&1 || echo ip6tables
}

# Docker keeps DOCKER-USER before its own rules over its restarts; in IPv6 not every engine uses it.
forward() {
  if "$1" -w 5 -C FORWARD -j DOCKER-USER 2>/dev/null; then echo DOCKER-USER; else echo FORWARD; fi
}

stands() {
  found=$("$1" -w 5 -S "$CHAIN" 2>/dev/null)
  [ -n "$found" ] && [ "$found" = "$(cat "$1.stands" 2>/dev/null)" ] || return 1
  for from in INPUT "$(forward "$1")"; do
    "$1" -w 5 -C "$from" -i "$BRIDGE" -j "$CHAIN" 2>/dev/null || return 1
  done
}

raise() {
  rules=$IPV4
  [ "$1" = iptables ] || rules=$IPV6
  # In one transaction: there is no moment without rules, and none is there twice.
  printf '*filter\n:%s - [0:0]\n%s\nCOMMIT\n' "$CHAIN" "$rules" | "$1-restore" -w 5 --noflush || return 1
  for from in INPUT "$(forward "$1")"; do
    "$1" -w 5 -C "$from" -i "$BRIDGE" -j "$CHAIN" 2>/dev/null || "$1" -w 5 -I "$from" -i "$BRIDGE" -j "$CHAIN" || return 1
  done
  # The kernel's words for them, which are compared from here on.
  "$1" -w 5 -S "$CHAIN" >"$1.stands"
}

lower() {
  for one in $(families); do
    for from in INPUT FORWARD DOCKER-USER; do
      while "$one" -w 5 -D "$from" -i "$BRIDGE" -j "$CHAIN" 2>/dev/null; do :; done
    done
    "$one" -w 5 -F "$CHAIN" 2>/dev/null && "$one" -w 5 -X "$CHAIN"
  done
}

keep() {
  command -v iptables >/dev/null || { echo "this host has no iptables" >&2; exit 1; }
  trap 'lower; exit 0' TERM INT
  while :; do
    for one in $(families); do
      stands "$one" || raise "$one" || exit 1
    done
    sleep "$SECONDS_BETWEEN" &
    wait $!
  done
}

check() {
  for one in $(families); do
    stands "$one" || return 1
  done
}

# Docker takes its own jump away for a moment when a network comes or goes, and what is missing is soon put back.
settled() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! check || return 0
    sleep 1
  done
  return 1
}

list() {
  settled
  result=$?
  for one in $(families); do
    "$one" -w 5 -S "$CHAIN"
  done
  return $result
}

"$1"

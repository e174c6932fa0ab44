# Keep a chain of rules in the firewall of the node that this runs on, by the host's own iptables.
# CHAIN is its name, IPV4 and IPV6 are its rules as `iptables -S` writes them; usage: sh firewall.sh keep|check|list
# Where NETWORK is given, keep ISOLATED4 and ISOLATED6 in the network namespace of each server on it, too: a container of a
# service HUB-…, but for those that OURS names. PEERS in them is the server's network.
PATH=$PATH:/usr/sbin:/sbin:/usr/local/bin
ENGINE=unix:///run/docker.sock
NAMESPACES=/engine/netns
SEEN=./seen  # containers that have been dealt with, a file each
SERVICE=com.docker.swarm.service.name
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

# By these, tasks reach whatever is not on their overlay networks: with an overlay network, with none, and with a bridge that
# belongs to the swarm.
bridges() {
  echo docker_gwbridge docker0
  names='{{with index .Options "com.docker.network.bridge.name"}}{{.}}{{else}}{{printf "br-%.12s" .Id}}{{end}}'
  docker -H "$ENGINE" network ls --quiet --filter driver=bridge --filter scope=swarm 2>/dev/null |
    xargs -r docker -H "$ENGINE" network inspect --format "$names" 2>/dev/null
}

# What a place has to do with packets from a bridge.
jump() {
  "$1" -w 5 "$2" "$3" -i "$4" -j "$CHAIN"
}

is_active() {
  found=$("$1" -w 5 -S "$CHAIN" 2>/dev/null)
  [ -n "$found" ] && [ "$found" = "$(cat "$1.active" 2>/dev/null)" ] || return 1
  for bridge in $(bridges); do
    for from in INPUT "$(forward "$1")"; do
      jump "$1" -C "$from" "$bridge" 2>/dev/null || return 1
    done
  done
}

set_rules() {
  rules=$IPV4
  [ "$1" = iptables ] || rules=$IPV6
  # In one transaction: there is no moment without rules, and none is there twice.
  printf '*filter\n:%s - [0:0]\n%s\nCOMMIT\n' "$CHAIN" "$rules" | "$1-restore" -w 5 --noflush || return 1
  for bridge in $(bridges); do
    for from in INPUT "$(forward "$1")"; do
      jump "$1" -C "$from" "$bridge" 2>/dev/null || jump "$1" -I "$from" "$bridge" || return 1
    done
  done
  # The kernel's words for them, which are compared from here on.
  "$1" -w 5 -S "$CHAIN" >"$1.active"
}

remove_rules() {
  for one in $(families); do
    for from in INPUT FORWARD DOCKER-USER; do
      "$one" -w 5 -S "$from" 2>/dev/null | sed -n "/ -j $CHAIN\$/s/^-A/-D/p" | xargs -r -L 1 "$one" -w 5
    done
    "$one" -w 5 -F "$CHAIN" 2>/dev/null && "$one" -w 5 -X "$CHAIN"
  done
}

on_network() {
  docker -H "$ENGINE" ps --quiet --no-trunc --filter "network=$NETWORK" --filter "label=$SERVICE"
}

# Nobody in a server can change its rules, so they are set once. What it has connected itself until then is cut; what hub and
# proxy have connected goes on.
isolate() {
  format="{{index .Config.Labels \"$SERVICE\"}} {{.NetworkSettings.SandboxKey}} {{with index .NetworkSettings.Networks \"$NETWORK\"}}"
  format="$format{{.IPAddress}}/{{.IPPrefixLen}}{{if .GlobalIPv6Address}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}}{{end}}{{end}}"
  found=$(docker -H "$ENGINE" inspect --format "$format" "$1" 2>/dev/null) || return 0  # it has ended
  service=${found%% *} rest=${found#* }
  namespace=${rest%% *} addresses=${rest#* }
  case " $OURS " in *" $service "*) addresses= ;; esac
  case $service in "$HUB"-*) ;; *) addresses= ;; esac
  for address in $addresses; do
    enclose "$NAMESPACES/${namespace##*/}" "$address" && continue
    # Its namespace goes before Docker says so.
    ! on_network | grep -qx "$1" || { echo "$service cannot be isolated from the other servers" >&2; return 1; }
  done
  : >"$SEEN/$1"
}

enclose() {
  case $2 in *:*) tool=ip6tables rules=$ISOLATED6 ;; *) tool=iptables rules=$ISOLATED4 ;; esac
  case $(families) in *"$tool"*) ;; *) take_ipv6 "$1"; return ;; esac
  # A container of the firewall that ended has left what it had set.
  ! nsenter --net="$1" "$tool" -w 5 -S "$CHAIN" >/dev/null 2>&1 || return 0
  printf '*filter\n:%s - [0:0]\n%s\nCOMMIT\n' "$CHAIN" "$rules" | sed "s=PEERS=$2=" | nsenter --net="$1" "$tool-restore" -w 5 --noflush
}

# What cannot be filtered is closed: a server without an address says nothing.
take_ipv6() {
  nsenter --net="$1" ip -6 address flush scope global && nsenter --net="$1" ip -6 address flush scope link
}

follow() {
  since=$(date +%s)
  for id in $(on_network); do
    isolate "$id" || exit 1
  done
  docker -H "$ENGINE" events --since "$since" --filter type=container --filter event=start --filter event=die --filter "label=$SERVICE" \
    --format '{{.Status}} {{.ID}}' | while read -r status id; do
    case $status in
      start) [ -e "$SEEN/$id" ] || isolate "$id" || exit 1 ;;
      die) rm -f "$SEEN/$id" ;;
    esac
  done
  exit 1
}

all_isolated() {
  [ -n "$NETWORK" ] || return 0
  for id in $(on_network); do
    [ -e "$SEEN/$id" ] || { echo "servers are not isolated yet" >&2; return 1; }
  done
}

keep() {
  command -v iptables >/dev/null || { echo "this host has no iptables" >&2; exit 1; }
  [ -z "$NETWORK" ] || command -v docker >/dev/null || { echo "this host has no docker command, which isolates servers from each other" >&2; exit 1; }
  trap 'remove_rules; exit 0' TERM INT
  mkdir -p "$SEEN"
  follower=
  [ -z "$NETWORK" ] || { follow & follower=$!; }
  while :; do
    for one in $(families); do
      is_active "$one" || set_rules "$one" || exit 1
    done
    [ -z "$follower" ] || kill -0 "$follower" 2>/dev/null || exit 1
    sleep "$SECONDS_BETWEEN" &
    wait $!
  done
}

check() {
  for one in $(families); do
    is_active "$one" || return 1
  done
  all_isolated
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
  [ -z "$NETWORK" ] || echo "isolated on $NETWORK"
  case $(families) in *ip6tables*) ;; *) echo "without ip6tables" ;; esac
  return $result
}

"$1"

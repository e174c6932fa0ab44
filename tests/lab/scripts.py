"""Shell scripts that run inside the nodes and the hub; each is given its arguments behind it."""

# Of each task that has had a container, the oldest first: the answer for a service may lack the newest one's lines, and it
# does not end where Swarm is just removing a task. Of a container that is gone there is nothing to be had.
SERVICE_LOG = """
tasks=$(docker service ps --quiet --no-trunc "$0") || exit
for task in $(echo "$tasks" | tac); do
  container=$(docker inspect --type task "$task" --format "{{with .Status.ContainerStatus}}{{.ContainerID}}{{end}}")
  [ -z "$container" ] || timeout 10 docker service logs --raw --tail "$1" "$task" || [ $? = 124 ] || echo "no log of $task"
done
"""
EXECUTE = 'docker exec "$(docker ps -q --filter "label=com.docker.swarm.service.name=$0" | head -n 1)" "$@"'
# In the volume: to make a token takes seconds, and the next hub knows it too, unless its database is another one. Whoever a
# hub runs as is of the group 0.
TOKEN = """
file=/data/lab-token
ask() { curl -sS -H "Authorization: token $(cat $file)" -H "Content-Type: application/json" "$@"; }
at=http://127.0.0.1:8081${BASE_URL:-/}hub/api
if [ ! -s $file ] || [ "$(ask -o /dev/null -w '%{http_code}' $at/user)" = 403 ]; then
  umask 007; jupyterhub token -f /srv/jupyterhub/jupyterhub_config.py ada > $file 2>/dev/null
fi
"""
HUB_API = TOKEN + 'ask -X "$1" -d "$3" "$at/$2"'
# The second call answers after ten seconds at most; the third one when the server is ready, or will not be.
START_SERVER = (
    TOKEN
    + """
ask -X POST "$at/users/$1"
ask -X POST -d "$2" "$at/users/$1/server"
ask --no-buffer --max-time 120 "$at/users/$1/server/progress"
"""
)
# What JupyterHub's proxy knows, asked in the hub's container.
ROUTES = 'curl -sS -H "Authorization: token $(cat /run/secrets/PROXY_TOKEN)" http://jupyterhub-proxy-api:8001/api/routes'
# A server that was stopped takes its time to end.
REMOVE_HOME = (
    'docker ps --all --quiet --filter "volume=$0" | xargs --no-run-if-empty docker rm --force && docker volume rm "$0"'
)
# With this tag, layers are there when the next deploy pulls or builds, which takes seconds instead of minutes.
CACHE = "lab-cache"
EMPTY = f"""
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
for name in notebook notebook-extra certbot; do
    image=$(docker image ls --quiet "registry.lab:5000/$name" | head -n 1)
    [ -z "$image" ] || docker tag "$image" "{CACHE}:$name"
done
form='{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.Digest}}}} {{{{.ID}}}}'
docker image ls --digests --format "$form" | while read -r name digest id; do
    case $name in
        {CACHE}:*) ;;
        "<none>:<none>") docker image rm --force "$id" ;;
        *":<none>") docker image rm --force "${{name%:*}}@$digest" ;;
        *) docker image rm --force "$name" ;;
    esac
done
docker image prune --force
docker volume rm --force jupyterhub_restic
"""

"""Shell scripts that run inside the nodes and the hub; each is given its arguments behind it."""

EXECUTE = 'docker exec "$(docker ps -q --filter "label=com.docker.swarm.service.name=$0" | head -n 1)" "$@"'
# In the volume: to make a token takes seconds, and the next hub knows it too, unless its database is another one. Whoever a
# hub runs as is of the group 0.
HUB_API = """
file=/data/lab-token
ask() { curl -sS -H "Authorization: token $(cat $file)" -H "Content-Type: application/json" "$@"; }
at=http://127.0.0.1:8081/hub/api
if [ ! -s $file ] || [ "$(ask -o /dev/null -w '%{http_code}' $at/user)" = 403 ]; then
  umask 007; jupyterhub token -f /srv/jupyterhub/jupyterhub_config.py ada > $file 2>/dev/null
fi
ask -X "$1" -d "$3" "$at/$2"
"""
# A server that was stopped takes its time to end.
REMOVE_HOME = (
    'docker ps --all --quiet --filter "volume=$0" | xargs --no-run-if-empty docker rm --force && docker volume rm "$0"'
)
# Somebody else's tag is none of ours: what has it is there when the next deploy pulls, which takes seconds instead of a minute.
CACHE = "lab-cache"
RENAME_IMAGE = f"""
for image in $(docker image ls --quiet "registry.lab:5000/$0" | sort -u); do
    docker tag "$image" "{CACHE}:$0"
    for name in $(docker image inspect "$image" --format '{{{{join .RepoTags " "}}}} {{{{join .RepoDigests " "}}}}'); do
        case $name in registry.lab:5000/*) docker image rm --force "$name" || true ;; esac
    done
done
"""

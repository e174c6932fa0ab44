"""Complete tasks, options and host names in the operator's shell.

A shell runs this file by itself to get the host names, so it imports nothing that takes time.
"""

import os
import shlex
import sys
import tomllib
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")

# Invoke completes tasks and options; it wants to be called by its own name. Behind these words stands a host:
BEFORE_A_HOST = ("-H", "--hosts", "--node", "drain", "undrain", "remove-node", "move-hub", "trust")

BASH = r"""
_fab_complete() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} given names
    [ "$word" = = ] && word=
    [ "$before" = = ] && before=${COMP_WORDS[COMP_CWORD-2]}
    case $before in
        OPTIONS)
            given=${word%"${word##*,}"}
            COMPREPLY=($(compgen -P "$given" -W "$(HOSTS)" -- "${word##*,}"));;
        *)
            names=$("${COMP_WORDS[0]}" --complete -- fab "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
            COMPREPLY=($(compgen -W "$names" -- "$word"));;
    esac
}
complete -o default -F _fab_complete fab
"""

ZSH = r"""
_fab_complete() {
    case ${words[CURRENT-1]} in
        OPTIONS)
            compset -P '*,'
            compadd -- ${(f)"$(HOSTS)"};;
        *)
            compadd -- ${(f)"$(${words[1]} --complete -- fab ${words[2,CURRENT]} 2>/dev/null)"} || _files;;
    esac
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _fab_complete fab
"""

FISH = r"""
function __fab_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    if contains -- "$words[-1]" OPTIONS
        set -l given (string match --regex '^.*,' -- $word)
        HOSTS | string replace --regex '^' "$given"
    else
        $words[1] --complete -- fab $words[2..] $word 2>/dev/null
    end
end
complete --command fab --no-files --arguments '(__fab_complete)'
"""


def script(shell: str) -> str:
    """Return what a shell reads to complete `fab`."""
    text = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    hosts = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).resolve()))}"
    options = (" " if shell == "fish" else "|").join(BEFORE_A_HOST)
    return text.replace("OPTIONS", options).replace("HOSTS", hosts).strip()


def main() -> None:
    """Print the names in `hosts.toml`, a line each; say nothing where it cannot be read."""
    try:
        hosts = tomllib.loads(Path(os.environ.get("SWARMHUB_HOSTS") or "hosts.toml").read_text())["hosts"]
        print(*hosts["managers"], *hosts.get("workers", []), sep="\n")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return


if __name__ == "__main__":
    main()

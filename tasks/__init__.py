"""What an operator types: a function for each step. `invoke` reads this, `fab` the fabfile."""

import gc
import sys
from pathlib import Path

from invoke.collection import Collection

# `fab` puts the project on the path; `invoke` puts nothing but this package there.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# Invoke keeps all programs from writing bytecode: every run would compile a hundred modules, a fifth of its time.
if not sys.flags.dont_write_bytecode:
    sys.dont_write_bytecode = False

from tasks import (
    backups,
    certs,
    classes,
    completion,
    doctor,
    firewall,
    history,
    hub,
    images,
    lab,
    network,
    plan,
    smoke,
    status,
    swarm,
    teardown,
    users,
    volume,
)

# Nearly all that a run imports and makes stays until its end: to look through it for garbage took a sixth of a short run.
gc.set_threshold(50_000, 20, 50)

ns = Collection()
PARTS = (plan.agree, images.all_images, images.load_bundle)
DEPLOYING = (network, volume, certs, images, firewall, hub)
for module in (*DEPLOYING, smoke, plan, doctor, status, history, backups, users, swarm, classes, teardown, completion):
    for found in Collection.from_module(module).tasks.values():
        # Not what a module imports from another, nor what is a part of a deploy only.
        if found.body.__module__ == module.__name__ and found not in PARTS:
            ns.add_task(found)
ns.add_collection(Collection.from_module(lab, name="lab"))

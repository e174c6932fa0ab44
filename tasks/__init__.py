"""What an operator types: a function a step, in the module of its chapter. `invoke` reads this, `fab` the fabfile."""

from invoke import Collection

from tasks import certs, hub, images, lab, network, volume

ns = Collection()
for module in (network, volume, certs, images, hub):
    for found in Collection.from_module(module).tasks.values():
        if found.body.__module__ == module.__name__:
            ns.add_task(found)
ns.add_collection(Collection.from_module(lab, name="lab"))

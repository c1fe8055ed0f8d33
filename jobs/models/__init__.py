"""Models: how they are looked up, what is registered of them, and the commands of `magic models`.

May import `jobs.settings`, `pipelines`, `cluster` and `magic`. Training registers through it, posters look models up
through it, and `jobs.commands` names its functions. `pyfunc_model` is copied into every registered model; nothing
imports it.
"""

"""A supervised pool of Ray actors that shares out numbered tasks, whatever a task is.

`pool` keeps the workers alive and repeats failed tasks, `assignment` decides which worker gets which task, `attempts`
counts failures, and `function_pool` applies a function to many numbers. Of this project these modules import each other
only, and besides them the standard library, ray and pipelines.progress: they know neither pictures nor models.
pipelines.painting, pipelines.posters and pipelines.export import them.
"""

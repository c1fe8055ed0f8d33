"""A supervised pool of Ray actors that does the tasks of many works, whatever a task is.

`stages` says what a work is, `pool` keeps workers busy with the works that are open, `desk` lets these go on, `crew`
keeps workers alive, `assignment` decides which worker gets which task, `attempts` counts failures, and `functions`
makes tasks of functions. Of this project these modules import each other only, and besides them the standard library,
ray, magic.checks and pipelines.progress: they know neither pictures nor models. pipelines.painting, pipelines.posters
and pipelines.export import them.
"""

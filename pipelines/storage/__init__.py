"""Storage of any kind: the one door to it, typed records that are kept there, and folders that belong to one job.

`door` is the only module of the project that imports fsspec; everything else asks it. This room imports no other room
of `pipelines`; all of them but `workers` import it.
"""

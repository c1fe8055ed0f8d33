"""Storage of any kind: the one door to it, typed records that are kept there, and folders that belong to one job.

`door` is what everything else asks; behind it, `file_systems` is the only module that imports fsspec. This room imports
no other room of `pipelines`; all of them but `workers` import it.
"""

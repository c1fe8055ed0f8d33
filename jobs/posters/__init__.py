"""The commands that make, write and check posters: `magic poster`, `magic export`, `magic verify`.

May import `jobs.settings`, `jobs.models`, `pipelines`, `cluster` and `magic`; `jobs.commands` names its functions.
"""

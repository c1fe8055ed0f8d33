"""`magic train`: Ray Train around the training step of `magic`, with checkpoints, curves, sheets and registration.

May import `jobs.settings`, `jobs.models`, `pipelines`, `cluster` and `magic`; `jobs.commands` names its function.
`jobs.sample` and `jobs.paper` use its validation.
"""

"""What a user runs. A *job* is one command at work on one folder; the same command again continues it.

`commands` is the table of all commands, `cli` the command line. Settings lie in `settings`, which imports nothing
heavy. The commands themselves lie in `training`, `posters`, `models`, `submission` and here. `paper` reproduces the
paper, apart from the product. This package may import everything else, and nothing imports it.
"""

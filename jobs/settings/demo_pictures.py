"""Where the pictures that come with the project are. Imports nothing heavy."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
"""The folder of the project, for those who are called from other folders."""
DEMO_CONTENT = "demo/content/astronaut.jpg"
"""A portrait to be painted, within the project's folder."""
DEMO_STYLE = "demo/style"
"""A folder of pictures to paint with, within the project's folder."""

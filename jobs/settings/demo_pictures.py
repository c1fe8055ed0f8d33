"""Where the pictures that come with the project are. Imports nothing heavy.

They are found beside the code, so that they are the same from every working directory.
"""

from pathlib import Path

DEMO = Path(__file__).parents[2] / "demo"
DEMO_CONTENT = DEMO / "content" / "astronaut.jpg"
"""A portrait to be painted."""
DEMO_STYLE = DEMO / "style"
"""A folder of pictures to paint with."""

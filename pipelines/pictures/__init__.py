"""Pictures from any storage: found, read safely, measured, cropped, and streamed to training workers by Ray Data.

May import `pipelines.storage` and `magic`. The rooms for posters and export, and the commands in `jobs`, import it.
"""

"""The command that makes many posters: `magic batch`.

`row_tables` reads and writes tables, `rows` makes posters' settings of them, `row_records` says what became of each,
`row_painting` paints one, `batch_job` paints them all, and `contact_page` shows the results. May import `jobs.posters`
and all that these may import.
"""

"""The paper's figures, trained, painted and measured anew: apart from what users of the project run.

`reproduce` is the command `magic reproduce`; `figures` is the table of what each figure needs; `guided_figure` and
`unguided_figure` train and paint; `report` writes the sheet and the table; `local_training` and `side_by_side` train
in this process and in several at a time; `faces` draws portraits on a `face_canvas`. Modules here may import magic,
pipelines, jobs.settings and what jobs.training measures and shows of a training, but neither Ray nor MLflow. Nothing
outside this package imports it: the command line names `reproduce` and loads it when it is called.
"""

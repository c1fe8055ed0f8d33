from cluster.program import Program

PROGRAM = Program(name="paint", launcher="python -m paint.cli", packages=("cluster", "jobs"))


def test_a_command_is_shown_as_it_was_typed():
    args = ["poster", "--out", "s3://bucket/two words"]
    assert PROGRAM.entrypoint(args) == "python -m paint.cli poster --out 's3://bucket/two words'"
    assert PROGRAM.command(args) == PROGRAM.command_of(PROGRAM.entrypoint(args))
    assert PROGRAM.command(args) == "paint poster --out 's3://bucket/two words'"


def test_the_packages_are_copied_without_compiled_files(tmp_path):
    PROGRAM.copy_packages(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster", "jobs"]
    assert (tmp_path / "cluster" / "program.py").is_file()
    assert not list(tmp_path.rglob("__pycache__"))

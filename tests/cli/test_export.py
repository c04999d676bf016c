import pytest

from microgpt.cli import main


@pytest.fixture
def arguments(exportable_checkpoint, tmp_path) -> list[str]:
    """The command that exports a checkpoint for transformers to the folder `out`."""
    command = ["export", "--checkpoint", str(exportable_checkpoint), "--to", "transformers"]
    return [*command, "--out", str(tmp_path / "out")]


def test_the_written_files_are_listed(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    names = {line.split("/")[-1] for line in capsys.readouterr().out.splitlines()}
    assert names == {path.name for path in (tmp_path / "out").iterdir()} != set()


def test_an_existing_folder_is_not_overwritten(arguments, tmp_path, command_error):
    (tmp_path / "out").mkdir()
    assert "already exists" in command_error(*arguments)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_no_files(arguments, tmp_path, command_error, full_disk):
    with full_disk():
        error = command_error(*arguments)
    assert error == f"error: cannot write {tmp_path / 'out'}: File too large"
    assert list(tmp_path.iterdir()) == []

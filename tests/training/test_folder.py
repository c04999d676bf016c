import pytest

from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError


def test_a_new_run_needs_a_free_name_and_a_resumed_one_a_state(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.check(resume=False)
    with pytest.raises(TrainError, match="there is nothing to resume"):
        run.check(resume=True)
    run.folder.mkdir()
    run.state.touch()
    run.check(resume=True)
    with pytest.raises(TrainError, match="already exists; pass --resume or another --out"):
        run.check(resume=False)


def test_two_runs_cannot_hold_the_folder_at_the_same_time(tmp_path):
    run = RunFolder(tmp_path / "run")
    with run.locked(resume=False), pytest.raises(TrainError, match="another run is writing to"):
        RunFolder(tmp_path / "run").locked(resume=False).__enter__()
    with run.locked(resume=False):
        assert run.folder.is_dir()


def test_the_folder_is_checked_again_under_the_lock(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.out.mkdir()
    with pytest.raises(TrainError, match="already exists"), run.locked(resume=False):
        pass


@pytest.mark.parametrize("name", ["loop", "dangling", "x" * 245])
def test_a_checkpoint_that_could_not_be_written_is_refused_before_training(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "file" / "run")
    with pytest.raises(OSError), RunFolder(tmp_path / name).locked(resume=False):
        pass


def test_a_folder_that_is_not_a_checkpoint_is_not_replaced(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.folder.mkdir()
    run.state.touch()
    run.out.mkdir()
    (run.out / "notes.txt").touch()
    for check in (lambda: run.check(resume=True), run.check_free):
        with pytest.raises(TrainError, match=r"not a checkpoint.*; move it .* --resume"):
            check()
    (run.out / "config.json").touch()
    run.check(resume=True)

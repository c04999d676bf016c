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

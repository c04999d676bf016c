from microgpt import locks
from microgpt.training.server_folder import server_folder
from tests.folders import names


def test_the_folder_exists_while_it_is_used(tmp_path):
    base = tmp_path / "training"
    with server_folder(base) as first, server_folder(base) as second:
        (first / "text").write_text("a")
        assert first.parent == second.parent == base and first != second
    assert not names(base)


def test_the_folders_of_servers_that_were_killed_are_deleted(tmp_path):
    for name in ("killed", "alive"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text").write_text("a")
        (tmp_path / f"{name}.lock").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "starting.lock").touch()
    with locks.locked(tmp_path / "alive.lock"), server_folder(tmp_path):
        pass
    assert names(tmp_path) == {"alive", "alive.lock", "other", "starting.lock"}

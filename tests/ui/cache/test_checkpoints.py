import json
import os

from microgpt.checkpoint import CONFIG
from microgpt.ui.cache.checkpoints import bundled_checkpoint, bundled_folders, folder_checkpoint


def test_the_first_bundled_checkpoint_is_the_default():
    assert bundled_checkpoint() is bundled_checkpoint(next(iter(bundled_folders())))


def test_a_folder_is_loaded_again_when_its_config_changes(checkpoint_copy):
    first = folder_checkpoint(checkpoint_copy)
    assert folder_checkpoint(checkpoint_copy) is first
    path = checkpoint_copy / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text())))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert folder_checkpoint(checkpoint_copy) is not first

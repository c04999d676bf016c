"""A checkpoint in a zip, and zips that were made to do harm."""

import io
import stat
import zipfile

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import CONFIG, FILES, OPTIONAL, WEIGHTS, CheckpointError
from microgpt.checkpoint.archive import open_files, pack, unpack

MOST = 10**8


def zipped(folder, prefix="", rename=lambda name: name, **changed) -> bytes:
    """A zip of a folder's files, made without pack."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            data = changed.get(path.name.replace(".", "_"), path.read_bytes())
            archive.writestr(prefix + rename(path.name), data)
    return made.getvalue()


def with_members(data: bytes, *members) -> bytes:
    """A zip with more members, each a name or ZipInfo and its content."""
    made = io.BytesIO(data)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return made.getvalue()


def refused(data: bytes, message: str, max_bytes: int = MOST) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_files({"mine.zip": data}, max_bytes)


def test_a_packed_checkpoint_opens_with_all_its_files(full_checkpoint, tmp_path):
    data = pack(full_checkpoint, "mine")
    assert pack(full_checkpoint, "mine") == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(name.startswith("mine/") for name in archive.namelist())
        archive.extractall(tmp_path / "other tool")
    assert checkpoint.load(tmp_path / "other tool" / "mine", strict=True)
    opened = open_files({"my words.zip": data}, MOST)
    assert opened.fingerprint == checkpoint.load(full_checkpoint).fingerprint
    assert opened.origin.short_name == "my words"
    assert opened.snapshots is not None and opened.head_scores is not None and not opened.notes


def test_the_state_of_a_run_and_other_files_are_not_packed(checkpoint_copy):
    (checkpoint_copy / "state.pt").write_bytes(b"secret")
    with zipfile.ZipFile(io.BytesIO(pack(checkpoint_copy))) as archive:
        assert not [name for name in archive.namelist() if "state" in name]


def test_a_folder_without_a_checkpoint_is_not_packed(tmp_path):
    with pytest.raises(CheckpointError, match="is missing"):
        pack(tmp_path)


@pytest.mark.parametrize("prefix", ["", "mine/", "a/b/"])
def test_the_files_may_be_in_any_one_folder(tiny_checkpoint, prefix):
    assert open_files({"mine.ZIP": zipped(tiny_checkpoint, prefix)}, MOST)


def test_files_that_systems_add_are_left_out(tiny_checkpoint, tmp_path):
    data = with_members(
        zipped(tiny_checkpoint, "mine/"),
        ("mine/.DS_Store", "x"),
        (f"__MACOSX/mine/{CONFIG}", "x"),
        ("../../../evil.py", "x"),
    )
    unpack(data, tmp_path, MOST)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert not (tmp_path.parents[2] / "evil.py").exists()


def test_the_files_of_a_folder_open_too(full_checkpoint):
    files = {path.name: path.read_bytes() for path in full_checkpoint.iterdir()}
    opened = open_files(files | {"notes.txt": b"x", "../config.json": b"x"}, MOST)
    assert opened.fingerprint == checkpoint.load(full_checkpoint).fingerprint
    del files[WEIGHTS]
    with pytest.raises(CheckpointError, match="is missing"):
        open_files(files, MOST)
    with pytest.raises(CheckpointError, match="one zip"):
        open_files(files | {"mine.zip": b""}, MOST)


@pytest.mark.parametrize("name", ["../config.json", "/config.json", "a/../../config.json"])
def test_no_path_leaves_the_folder(tiny_checkpoint, name):
    data = zipped(tiny_checkpoint, rename=lambda each: name if each == CONFIG else each)
    refused(data, "outside the zip")


def test_a_windows_path_is_refused(tiny_checkpoint):
    data = zipped(tiny_checkpoint, rename=lambda each: f"..\\{each}" if each == CONFIG else each)
    refused(data, "is missing")


def test_a_link_is_refused(tiny_checkpoint):
    link = zipfile.ZipInfo(CONFIG)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = zipped(tiny_checkpoint, rename=lambda each: "other" if each == CONFIG else each)
    refused(with_members(data, (link, "/etc/passwd")), "is a link")


@pytest.mark.parametrize("prefix", ["", "again/"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_occurs_twice_is_refused(tiny_checkpoint, prefix):
    refused(with_members(zipped(tiny_checkpoint), (prefix + CONFIG, "{}")), "twice")


def test_files_in_several_folders_are_refused(tiny_checkpoint):
    data = zipped(tiny_checkpoint, rename=lambda each: f"{each[0]}/{each}")
    refused(data, "several folders")


def test_many_files_are_refused(tiny_checkpoint):
    members = [(f"{at}.txt", "") for at in range(101)]
    refused(with_members(zipped(tiny_checkpoint), *members), "holds 106 files")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tiny_checkpoint):
    bomb = zipped(tiny_checkpoint, config_json=bytes(FILES[CONFIG] + 1))
    assert len(bomb) < FILES[CONFIG] / 2
    refused(bomb, "config.json has 1,048,577 bytes; at most 1,048,576 are allowed")
    refused(zipped(tiny_checkpoint), "this app opens at most 0 MB", max_bytes=1000)


@pytest.mark.parametrize("listed", [10, 2_000_000])
def test_a_false_size_is_refused(tiny_checkpoint, listed):
    """The list of members holds another size than the member has."""
    name = WEIGHTS.encode()
    data = bytearray(zipped(tiny_checkpoint))
    entry = data.rindex(name) - 46  # of the central directory
    assert data[entry:][:4] == b"PK\x01\x02"
    data[entry + 24 : entry + 28] = listed.to_bytes(4, "little")
    refused(bytes(data), "damaged")


def test_a_password_is_named(tiny_checkpoint):
    data = bytearray(zipped(tiny_checkpoint))
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 1)
    refused(bytes(data), "has a password")


def test_another_method_is_refused(tiny_checkpoint):
    data = bytearray(zipped(tiny_checkpoint))
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 10] = 14  # LZMA
        at = data.find(b"PK\x01\x02", at + 1)
    refused(bytes(data), "rarely use")


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_truncated_zip_is_refused(tiny_checkpoint, cut):
    refused(zipped(tiny_checkpoint)[:-cut] if cut else b"no zip", "damaged, or is not a zip")


def test_a_zip_whose_members_begin_before_it_is_refused(tiny_checkpoint):
    data = bytearray(zipped(tiny_checkpoint))
    start = data.rindex(b"PK\x05\x06") + 16  # the field that says where the list of members begins
    data[start : start + 3] = b"\xff\xff\xff"
    refused(bytes(data), "damaged, or is not a zip")


@pytest.mark.parametrize("value", [b"\0", b"\xff"])
def test_a_member_with_a_name_that_is_no_text_is_refused(tiny_checkpoint, value):
    data = bytearray(zipped(tiny_checkpoint, "\u00e9/"))
    name = data.rindex(b"PK\x01\x02") + 46
    data[name : name + 1] = value
    refused(bytes(data), "damaged, or is not a zip")


def test_flipped_bytes_are_found(tiny_checkpoint):
    data = bytearray(zipped(tiny_checkpoint))
    data[len(data) // 2] ^= 0xFF
    refused(bytes(data), "damaged")


def test_weights_of_another_shape_are_refused(tiny_checkpoint):
    refused(zipped(tiny_checkpoint, model_safetensors=b"\xff" * 100), "safetensors")


def test_every_known_file_has_a_limit():
    assert all(FILES.values()) and all(OPTIONAL.values())

"""A checkpoint in one zip file: write it, and open one from outside.

A zip from outside is untrusted. Its list of members is checked before any of them is unpacked: only
the files of a checkpoint, each at most once, in the top folder or all in one folder, none larger
than FILES and OPTIONAL allow. A member's size is counted while it is unpacked, because the list may
lie. The member's own path is never used: each file is written under its known name.
"""

import io
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from microgpt.checkpoint.folder import FILES, MIB, OPTIONAL, AnyCheckpoint, CheckpointError, Origin
from microgpt.checkpoint.loading import check_files, files_in, load_any, read_config
from microgpt.checkpoint.provenance import storable

_SUFFIX = ".zip"
# A checkpoint has at most ten files; systems and tools add some of their own.
_MAX_MEMBERS = 100
_KNOWN = FILES | OPTIONAL
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # the flag bit of an encrypted member
_SIGNATURE = b"PK\x01\x02"  # of an entry in the list of members
_READ = MIB  # bytes at a time


def pack(folder: str | Path, name: str = "checkpoint") -> bytes:
    """A zip of a checkpoint folder; its files are in a folder called `name`.

    The time of every file is the same, so that equal checkpoints give equal zips. Raises
    CheckpointError for a folder that is no checkpoint, OSError if a file cannot be read.
    """
    folder = Path(folder)
    check_files(folder)
    _, _, hashes = read_config(folder)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in files_in(folder, hashes):
            member = zipfile.ZipInfo(f"{name}/{each}")
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, (folder / each).read_bytes())
    return packed.getvalue()


def open_files(files: Mapping[str, bytes], max_bytes: int) -> AnyCheckpoint:
    """Open a checkpoint from one zip, or from the files of a checkpoint folder, by their names.

    max_bytes: limit for all files of the checkpoint together, unpacked. The result needs no file
    afterwards. Raises CheckpointError.
    """
    zips = _zips(files)
    if zips and len(files) > 1:
        raise CheckpointError("open one zip, or the files of one checkpoint without a zip")
    with tempfile.TemporaryDirectory(prefix="microgpt-") as temporary:
        folder = Path(temporary)
        try:
            if zips:
                unpack(files[zips[0]], folder, max_bytes)
            else:
                _write(files, folder, max_bytes)
        except OSError as error:
            reason = f"cannot be unpacked here: {error.strerror}"
            raise CheckpointError(f"the checkpoint {reason}") from error
        return load_any(folder, Origin("folder", name_of(files)))


def name_of(files: Iterable[str]) -> str:
    """What a checkpoint is called that is opened from files with these names."""
    zips = _zips(files)
    return storable(Path(zips[0]).stem) if zips else "opened files"


def _zips(files: Iterable[str]) -> list[str]:
    return [name for name in files if name.lower().endswith(_SUFFIX)]


def unpack(data: bytes, folder: Path, max_bytes: int) -> None:
    """Write the checkpoint files of an untrusted zip into an empty folder.

    max_bytes: limit for all of them together. Files that no checkpoint has are left out. Raises
    CheckpointError, and OSError if a file cannot be written.
    """
    if (count := data.count(_SIGNATURE)) > _MAX_MEMBERS:  # before memory is taken for the list
        raise CheckpointError(
            f"the zip holds {count:,} files; the zip of a checkpoint has at most {_MAX_MEMBERS}"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _checked(archive.infolist(), max_bytes)
            for name, member in members.items():
                with archive.open(member) as packed, open(folder / name, "xb") as file:
                    _copy(packed, file, member)
    except (CheckpointError, OSError, MemoryError):
        raise
    except Exception as error:  # a malformed zip may raise anything
        raise CheckpointError("the zip is damaged, or is not a zip; download it again") from error


def _checked(members: list[zipfile.ZipInfo], max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """The members to unpack, by the name of their file. Raises CheckpointError."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        path = PurePosixPath(member.filename)
        if member.is_dir() or path.name not in _KNOWN or path.parts[0] == "__MACOSX":
            continue
        if path.is_absolute() or ".." in path.parts:
            raise CheckpointError("the zip holds a file whose path leads outside the zip")
        if path.name in found:
            raise CheckpointError(f"the zip holds {path.name} twice; pack one checkpoint folder")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise CheckpointError(f"{path.name} in the zip is a link or a device, not a file")
        if member.flag_bits & _ENCRYPTED:
            raise CheckpointError("the zip has a password; pack the folder without one")
        if member.compress_type not in _METHODS:
            raise CheckpointError(f"{path.name} is packed in a way that zip tools rarely use")
        found[path.name] = member
    folders = {str(PurePosixPath(each.filename).parent) for each in found.values()}
    if len(folders) > 1:
        raise CheckpointError("the files of the checkpoint are in several folders of the zip")
    _check_sizes({name: each.file_size for name, each in found.items()}, max_bytes)
    return found


def _check_sizes(sizes: Mapping[str, int], max_bytes: int) -> None:
    for name, size in sizes.items():
        if size > _KNOWN[name]:
            raise CheckpointError(
                f"{name} has {size:,} bytes; at most {_KNOWN[name]:,} are allowed"
            )
    if (total := sum(sizes.values())) > max_bytes:
        raise CheckpointError(
            f"the checkpoint has {total / 1e6:,.0f} MB; this app opens at most "
            f"{max_bytes / 1e6:,.0f} MB"
        )


def _copy(packed: IO[bytes], file: IO[bytes], member: zipfile.ZipInfo) -> None:
    """Unpack a member, but never more than the size in the list of members."""
    left = member.file_size
    while data := packed.read(_READ):
        left -= len(data)
        if left < 0:
            break
        file.write(data)
    if left:
        raise CheckpointError("the zip is damaged: a file does not have the size that it lists")


def _write(files: Mapping[str, bytes], folder: Path, max_bytes: int) -> None:
    """Write the files of a checkpoint that were opened one by one; leave out all others."""
    known = {name: data for name, data in files.items() if name in _KNOWN}
    _check_sizes({name: len(data) for name, data in known.items()}, max_bytes)
    for name, data in known.items():
        (folder / name).write_bytes(data)

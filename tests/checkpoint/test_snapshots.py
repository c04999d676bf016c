import dataclasses
import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.analysis.ablation import surprisal_without_each_head
from microgpt.analysis.attention import attention_maps
from microgpt.checkpoint.snapshots import MAX_BYTES, Snapshots, SnapshotsError
from microgpt.formats import FORMAT
from microgpt.hub import BUNDLED, load_bundled

LAYERS, HEADS, VOCAB = 2, 3, 11
S, T, N = 4, 5, 7
DTYPES = {
    "steps": np.int64,
    "passage": np.uint16,
    "maps": np.uint8,
    "probs": np.float16,
    "samples": np.uint16,
    "surprisal_without": np.float16,
}
OPTIONAL = {"surprisal_without"}
UNREADABLE = "^the checkpoint's snapshots cannot be read$"
UNFIT = "^the checkpoint's snapshots do not fit its model$"


@pytest.fixture
def snapshots() -> Snapshots:
    """Four snapshots of a small model, with random numbers."""
    generator = np.random.default_rng(0)
    return Snapshots(
        steps=np.array([0, 10, 40, 2**40]),
        passage=generator.integers(VOCAB, size=T),
        maps=generator.integers(256, size=(S, LAYERS, HEADS, T, T), dtype=np.uint8),
        probs=generator.dirichlet(np.ones(VOCAB), size=(S, T)).astype(np.float16),
        samples=generator.integers(VOCAB, size=(S, N)),
        surprisal_without=generator.exponential(size=(S, LAYERS, HEADS, T - 1)).astype(np.float16),
    )


def test_the_start_of_the_passage_can_end_where_the_last_snapshot_is_surest(snapshots):
    highest = snapshots.probs[-1].max(axis=1).tolist()  # of T = 5 positions
    assert snapshots.surest_end(2, 4) == 2 + highest[1:4].index(max(highest[1:4]))
    assert snapshots.surest_end(0, 99) == 1 + highest.index(max(highest))
    assert snapshots.surest_end(99, 99) == T


def read(data: bytes, n_layer: int = LAYERS, n_head: int = HEADS, vocab: int = VOCAB) -> Snapshots:
    return Snapshots.from_npz(data, n_layer, n_head, vocab)


def assert_unreadable(data: bytes) -> SnapshotsError:
    """Assert that a file cannot be read; return the error."""
    with pytest.raises(SnapshotsError, match=UNREADABLE) as caught:
        read(data)
    return caught.value


def members(snapshots: Snapshots) -> dict[str, bytes]:
    """The .npy files in the .npz file."""
    with zipfile.ZipFile(io.BytesIO(snapshots.to_npz())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npz(contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A .npz file of these .npy files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0), allow_pickle: bool = False) -> bytes:
    """A .npy file of an array."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle)
    return file.getvalue()


def header(shape: tuple[Any, ...], descr: str) -> bytes:
    """The start of a .npy file, whose data need not have this shape and type."""
    file = io.BytesIO()
    values = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, values)
    return file.getvalue()


def test_written_snapshots_are_read_back(snapshots):
    again = read(snapshots.to_npz())
    for name, dtype in DTYPES.items():
        array = getattr(again, name)
        assert array.dtype == dtype, name
        np.testing.assert_array_equal(array, getattr(snapshots, name))


def test_snapshots_with_empty_samples_are_read_back(snapshots):
    empty = dataclasses.replace(snapshots, samples=np.zeros((S, 0)))
    assert read(empty.to_npz()).samples.shape == (S, 0)


def test_the_same_snapshots_are_written_to_the_same_bytes(snapshots):
    data = snapshots.to_npz()
    assert snapshots.to_npz() == data
    assert read(data).to_npz() == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numpy_reads_the_file(snapshots):
    with np.load(io.BytesIO(snapshots.to_npz()), allow_pickle=False) as arrays:
        assert arrays["format"] == FORMAT
        assert {name: arrays[name].dtype for name in arrays if name != "format"} == DTYPES


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"nonsense",
        lambda data: b"PK\x05\x06" + bytes(18),  # a zip file without members
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:10],
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    ],
    ids=["empty", "no zip", "empty zip", "short by one", "half", "start", "flipped byte"],
)
def test_a_damaged_file_is_refused(snapshots, damage):
    assert_unreadable(damage(snapshots.to_npz()))


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_array_may_be_missing(snapshots, name):
    older = dataclasses.replace(snapshots, **{name: None})
    again = read(older.to_npz())
    assert getattr(again, name) is None
    assert again.to_npz() == older.to_npz() != snapshots.to_npz()


def test_the_surprisal_is_that_of_the_predicted_characters(snapshots):
    surprisal = snapshots.surprisal
    assert (surprisal.shape, surprisal.dtype) == ((S, T - 1), np.float32)
    for step in range(S):
        for at in range(T - 1):
            p = float(snapshots.probs[step, at, snapshots.passage[at + 1]])
            assert surprisal[step, at] == pytest.approx(-math.log(p), rel=1e-5)


def test_the_surprisal_of_an_impossible_character_is_finite(snapshots):
    impossible = dataclasses.replace(snapshots, probs=np.zeros_like(snapshots.probs))
    np.testing.assert_allclose(impossible.surprisal, 24 * math.log(2), rtol=1e-6)


def test_a_passage_of_one_character_has_no_surprisal(snapshots):
    one = dataclasses.replace(
        snapshots,
        passage=snapshots.passage[:1],
        maps=snapshots.maps[..., :1, :1],
        probs=snapshots.probs[:, :1],
        surprisal_without=snapshots.surprisal_without[..., :0],
    )
    assert read(one.to_npz()).surprisal.shape == (S, 0)


@pytest.mark.parametrize("name", sorted(DTYPES.keys() - OPTIONAL))
def test_a_missing_array_is_refused(snapshots, name):
    contents = members(snapshots)
    del contents[f"{name}.npy"]
    assert_unreadable(npz(contents))


def test_an_unknown_array_is_refused(snapshots):
    contents = {**members(snapshots), "more.npy": b"nonsense"}
    with pytest.raises(SnapshotsError, match=r"^unknown array 'more' in snapshots.npz$"):
        read(npz(contents))
    contents["format.npy"] = npy(np.int64(FORMAT + 1))
    with pytest.raises(SnapshotsError, match=f"written in format {FORMAT + 1} .* update microGPT"):
        read(npz(contents))


def test_a_file_without_a_format_has_format_1(snapshots):
    contents = members(snapshots)
    del contents["format.npy"]
    assert read(npz(contents)).to_npz() == snapshots.to_npz()


@pytest.mark.parametrize("number", [np.array([2]), np.float64(2), np.array(b"2")], ids=str)
def test_a_format_that_is_not_a_whole_number_is_refused(snapshots, number):
    assert_unreadable(npz(members(snapshots) | {"format.npy": npy(number)}))


@pytest.mark.parametrize("name", DTYPES)
def test_an_array_of_another_type_is_refused(snapshots, name):
    array = getattr(snapshots, name)
    for dtype in (np.float64, np.int32, np.bool_, "S8", np.dtype(DTYPES[name]).newbyteorder(">")):
        if np.dtype(dtype) != DTYPES[name]:  # a single byte has no other byte order
            contents = members(snapshots) | {f"{name}.npy": npy(array.astype(dtype))}
            assert_unreadable(npz(contents))


def test_an_array_of_another_memory_order_or_version_is_refused(snapshots):
    fortran = npy(np.asfortranarray(snapshots.maps))
    assert_unreadable(npz(members(snapshots) | {"maps.npy": fortran}))
    assert_unreadable(npz(members(snapshots) | {"maps.npy": npy(snapshots.maps, version=(2, 0))}))


@pytest.mark.parametrize("name", DTYPES)
def test_a_pickle_is_refused_and_not_executed(snapshots, name, tmp_path):
    ran = tmp_path / "ran"

    class Harm:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return Path.touch, (ran,)

    pickled = pickle.dumps(Harm())
    objects = np.empty(S, dtype=object)
    objects[:] = [Harm()] * S
    for content in (pickled, npy(objects, allow_pickle=True), header((S,), "|O") + pickled):
        assert_unreadable(npz(members(snapshots) | {f"{name}.npy": content}))
        assert not ran.exists()
    pickle.loads(pickled)
    assert ran.exists(), "the pickle works"


@pytest.mark.parametrize(
    "shape",
    [
        (2**40,),
        (2**62, 2**62),
        (10**30,),
        (S + 1,),
        (S - 1,),
        (),
        (-S,),
        (-1, -S),
        (-2, -2),
    ],
    ids=str,
)
def test_a_header_with_a_wrong_shape_is_refused(snapshots, shape):
    data = snapshots.steps.astype(np.int64).tobytes()
    assert read(npz(members(snapshots) | {"steps.npy": header((S,), "<i8") + data}))
    assert_unreadable(npz(members(snapshots) | {"steps.npy": header(shape, "<i8") + data}))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x01\x00\x04\x00[[[["],
    ids=["empty", "magic", "short", "malformed"],
)
def test_an_array_without_a_header_is_refused(snapshots, content):
    assert_unreadable(npz(members(snapshots) | {"steps.npy": content}))


def test_arrays_that_are_too_large_are_not_read(snapshots):
    contents = members(snapshots)
    left = MAX_BYTES - sum(len(content) for content in contents.values())
    contents["maps.npy"] += bytes(left)
    assert "header says" in str(assert_unreadable(npz(contents)).__cause__), "the array was read"
    contents["maps.npy"] += b"\0"
    data = npz(contents)
    assert len(data) < MAX_BYTES // 100
    assert str(assert_unreadable(data).__cause__) == "the arrays are too large"
    # Reading a member would raise another error, because its beginning is damaged.
    unreadable = data.replace(b"PK\x03\x04", b"PK\x00\x00")
    assert str(assert_unreadable(unreadable).__cause__) == "the arrays are too large"


def test_an_array_larger_than_its_announced_size_is_refused(snapshots):
    data = bytearray(npz(members(snapshots) | {"steps.npy": npy(np.arange(10_000))}))
    at = data.index(b"PK\x01\x02")  # the first entry of the directory; 24 bytes later, its size
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    assert_unreadable(bytes(data))


@pytest.mark.parametrize(
    ("shape", "changed"),
    [
        ({"n_layer": LAYERS + 1}, {}),
        ({"n_layer": 0}, {}),
        ({"n_head": HEADS - 1}, {}),
        ({"n_layer": HEADS, "n_head": LAYERS}, {}),
        ({"vocab": VOCAB - 1}, {}),
        ({"vocab": VOCAB + 1}, {}),
        ({}, {"steps": [0, 10, 10, 40]}),
        ({}, {"steps": [0, 10, 5, 40]}),
        ({}, {"steps": [-1, 10, 20, 40]}),
        ({}, {"steps": [2**62, -(2**62), 0, 1]}),
        ({}, {"steps": [0, 10, 20]}),
        ({}, {"passage": [0, 1, 2, 3, VOCAB]}),
        ({}, {"passage": [0, 1, 2, 3, 2**16 - 1]}),
        ({}, {"passage": [0, 1, 2, 3]}),
        ({}, {"samples": np.full((S, N), VOCAB)}),
        ({}, {"samples": np.zeros((S - 1, N))}),
        ({}, {"maps": np.zeros((S, LAYERS, HEADS, T, T + 1))}),
        ({}, {"maps": np.zeros((S + 1, LAYERS, HEADS, T, T))}),
        ({}, {"probs": np.full((S, T, VOCAB), np.nan)}),
        ({}, {"surprisal_without": np.zeros((S, LAYERS, HEADS, T))}),
        ({}, {"surprisal_without": np.zeros((S, HEADS, LAYERS, T - 1))}),
        ({}, {"surprisal_without": np.full((S, LAYERS, HEADS, T - 1), np.nan)}),
        ({}, {"surprisal_without": np.full((S, LAYERS, HEADS, T - 1), np.inf)}),
        ({}, {"surprisal_without": np.full((S, LAYERS, HEADS, T - 1), -1)}),
        ({}, {"probs": np.full((S, T, VOCAB), np.inf)}),
        ({}, {"probs": np.full((S, T, VOCAB), 1.01)}),
        ({}, {"probs": np.full((S, T, VOCAB), -0.01)}),
        ({}, {"probs": np.zeros((S, T - 1, VOCAB))}),
    ],
    ids=range(28),
)
def test_snapshots_that_do_not_fit_the_model_are_refused(snapshots, shape, changed):
    values = {name: np.array(value) for name, value in changed.items()}
    data = dataclasses.replace(snapshots, **values).to_npz()
    with pytest.raises(SnapshotsError, match=UNFIT):
        read(data, **shape)


def test_a_single_nan_is_found(snapshots):
    snapshots.probs[2, 3, 4] = np.nan
    with pytest.raises(SnapshotsError, match=UNFIT):
        read(snapshots.to_npz())


@pytest.mark.parametrize("name", ["steps", "passage"])
def test_arrays_with_another_number_of_axes_are_refused(snapshots, name):
    for value in (np.array(0), getattr(snapshots, name)[None]):
        with pytest.raises(SnapshotsError, match="the checkpoint's snapshots"):
            read(dataclasses.replace(snapshots, **{name: value}).to_npz())


def test_snapshots_without_a_step_or_a_passage_are_refused(snapshots):
    no_step = {name: getattr(snapshots, name)[:0] for name in DTYPES.keys() - {"passage"}}
    no_passage = {
        "passage": snapshots.passage[:0],
        "maps": snapshots.maps[..., :0, :0],
        "probs": snapshots.probs[:, :0],
        "surprisal_without": None,
    }
    for changed in (no_step, no_passage):
        with pytest.raises(SnapshotsError, match=UNFIT):
            read(dataclasses.replace(snapshots, **changed).to_npz())


def test_the_head_that_changed_most_is_found(snapshots):
    maps = np.full_like(snapshots.maps, 128)
    maps[-1, 0, 1] += 5
    maps[-1, 1, 2] -= 6
    maps[1:-1, 0, 0] = 0  # only the first snapshot and the last count
    assert dataclasses.replace(snapshots, maps=maps).most_changed_head() == (1, 2)


def test_the_bundled_induction_head_forms_while_the_loss_falls():
    bundled = load_bundled(BUNDLED[1])
    loss = {row.step: row.val_loss for row in bundled.loss_record}
    falls, rises = (
        np.argmax(np.abs(np.diff(values)))
        for values in (
            [loss[step] for step in bundled.snapshot_scores.steps],
            [each.repeated.scores[1, 0] for each in bundled.snapshot_scores.scores],
        )
    )
    assert abs(falls - rises) <= 5, "of 59 snapshots"
    assert bundled.snapshot_scores.scores[0].repeated.scores.max() < 0.1
    assert bundled.head_scores.repeated.scores[1, 0] > 0.8
    assert bundled.head_scores.ablation.loss_change.min() > 1


@pytest.mark.parametrize("folder", BUNDLED[:2], ids=lambda folder: folder.name)
def test_the_last_bundled_snapshot_is_of_the_bundled_model(folder):
    bundled = load_bundled(folder)
    snapshots = bundled.snapshots
    assert snapshots.steps[-1] == bundled.training.steps
    weights = attention_maps(bundled.model, snapshots.passage.tolist()).weights.numpy()
    # Maps are rounded to 1/255, and the saved weights of the model to float16.
    np.testing.assert_allclose(weights, snapshots.maps[-1] / 255, rtol=0, atol=1 / 255)
    without = surprisal_without_each_head(bundled.model, snapshots.passage.tolist()).numpy()
    np.testing.assert_allclose(without, snapshots.surprisal_without[-1], rtol=1e-2, atol=1e-2)

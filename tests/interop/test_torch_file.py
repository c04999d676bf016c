import os
import zipfile

import pytest
import torch

from microgpt.interop import InteropError, torch_file
from microgpt.interop.torch_file import MAX_PICKLE_BYTES, is_plain, read_torch, tensors_of


class Harmful:
    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_tensors_and_plain_values_are_read(tmp_path):
    values = {"model": {"a": torch.ones(2)}, "steps": 3}
    torch.save(values, tmp_path / "ckpt.pt")
    found = read_torch(tmp_path / "ckpt.pt")
    assert found["steps"] == 3 and torch.equal(found["model"]["a"], torch.ones(2))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    torch.save({"model": {}, "config": Harmful(str(tmp_path / "mark"))}, tmp_path / "ckpt.pt")
    with pytest.raises(InteropError, match="without running code"):
        read_torch(tmp_path / "ckpt.pt")
    assert not (tmp_path / "mark").exists()


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "ckpt.pt"
    with pytest.raises(InteropError, match="cannot be read: No such file"):
        read_torch(path)
    path.write_bytes(b"not a zip file")
    with pytest.raises(InteropError, match=r"not a whole file of torch\.save"):
        read_torch(path)
    torch.save({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-100])  # as after a download that was interrupted
    with pytest.raises(InteropError, match=r"not a whole file of torch\.save"):
        read_torch(path)
    torch.save({"a": torch.ones(100)}, path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 46] = 0xE0  # the name of a member is no UTF-8
    data[data.rindex(b"PK\x01\x02") + 9] |= 0x8  # and says that it is
    path.write_bytes(data)
    with pytest.raises(InteropError, match=r"not a whole file of torch\.save"):
        read_torch(path)
    torch.save({"a": 1}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(InteropError, match=r"before PyTorch 1\.6"):
        read_torch(path)
    torch.save(torch.ones(2), path)
    with pytest.raises(InteropError, match="no state dict"):
        read_torch(path)


def test_a_file_that_unpacks_to_more_than_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "MAX_BYTES", 10**6)
    with zipfile.ZipFile(tmp_path / "ckpt.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2 * 10**6))
    assert (tmp_path / "ckpt.pt").stat().st_size < 10**5
    with pytest.raises(InteropError, match="at most 1,000,000"):
        read_torch(tmp_path / "ckpt.pt")


def test_the_prefixes_of_wrappers_are_removed():
    found = tensors_of({"module._orig_mod.a.b": torch.ones(1)}, "ckpt.pt")
    assert list(found) == ["a.b"]
    with pytest.raises(InteropError, match="no state dict"):
        tensors_of({"a": 1}, "ckpt.pt")


def test_a_tensor_that_claims_to_be_huge_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "ckpt.pt")
    with pytest.raises(InteropError, match="more numbers"):
        tensors_of(read_torch(tmp_path / "ckpt.pt"), "ckpt.pt")


def test_a_compressed_file_is_refused(tmp_path):
    """PyTorch would take the compressed bytes for the numbers."""
    torch.save({"a": torch.ones(100)}, tmp_path / "ckpt.pt")
    with (
        zipfile.ZipFile(tmp_path / "ckpt.pt") as saved,
        zipfile.ZipFile(tmp_path / "again.pt", "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for name in saved.namelist():
            again.writestr(name, saved.read(name))
    with pytest.raises(InteropError, match=r"again\.pt is compressed.*save it again"):
        read_torch(tmp_path / "again.pt")


def test_a_file_with_much_outside_its_tensors_is_not_read(tmp_path):
    torch.save({"a": torch.ones(1), "log": "x" * MAX_PICKLE_BYTES}, tmp_path / "ckpt.pt")
    with pytest.raises(InteropError, match=r"outside its tensors.*save only model\.state_dict"):
        read_torch(tmp_path / "ckpt.pt")


def test_a_name_with_a_million_prefixes_is_no_name():
    with pytest.raises(InteropError, match="no state dict"):
        tensors_of({"module." * 10**6 + "a": torch.ones(1)}, "ckpt.pt")


def test_only_dense_tensors_are_plain():
    dense = torch.ones(2, 2)
    assert is_plain(dense) and is_plain(dense.T) and is_plain(torch.ones(1).expand(3))
    nested = torch.nested.nested_tensor([dense, dense])
    quantized = torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    for other in (dense.to_sparse(), dense.to("meta"), nested, quantized):
        assert not is_plain(other)

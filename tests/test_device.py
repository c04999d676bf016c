import math

import pytest
import torch

from microgpt.device import DeviceError, hardware_name, matmul_flops, pick_device

CPU = torch.device("cpu")


def test_the_default_device_is_a_gpu_if_there_is_one():
    assert pick_device("cpu").type == "cpu"
    assert pick_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["abacus", "meta"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(DeviceError, match=name):
        pick_device(name)


def test_cuda_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="no CUDA device here; pass --device cpu"):
        pick_device("cuda")
    assert pick_device(None).type == "cpu"


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pick_device(name).index for name in ("cuda", "cuda:0", "cuda:1")] == [None, 0, 1]
    with pytest.raises(DeviceError, match="no cuda:9; the last CUDA device here is cuda:1"):
        pick_device("cuda:9")


@pytest.mark.parametrize(("count", "expected"), [(1, "1 thread"), (2, "2 threads")])
def test_the_name_of_a_cpu_includes_its_threads(monkeypatch, count, expected):
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    name, threads = hardware_name(CPU).rsplit(", ", 1)
    assert name and threads == expected


def test_the_name_of_several_gpus_includes_their_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    cuda = torch.device("cuda", 0)
    assert [hardware_name(cuda, count) for count in (1, 4)] == ["A GPU", "4 x A GPU"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_matmul_rate_is_a_positive_number(dtype):
    rate = matmul_flops(CPU, dtype)
    assert math.isfinite(rate)
    assert rate > 0

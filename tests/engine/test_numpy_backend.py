import numpy as np
import torch
import torch.nn.functional as F

from microgpt.engine import Part
from microgpt.engine.numpy_backend import NumpyBackend, attend, layer_norm, linear
from microgpt.model import KVCache


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def test_the_layers_equal_those_of_pytorch():
    x, weight, bias = random(12), random(5, 12), random(5)
    gain, shift = random(12) + 1, random(12) / 2
    normalised = layer_norm(x.numpy(), gain.numpy(), shift.numpy())
    np.testing.assert_allclose(normalised, F.layer_norm(x, (12,), gain, shift), atol=1e-6)
    np.testing.assert_allclose(
        linear(x.numpy(), weight.numpy(), bias.numpy()), F.linear(x, weight, bias), atol=1e-6
    )


def test_the_attention_equals_that_of_pytorch():
    q, keys, values = random(3, 8), random(3, 7, 8) * 2, random(3, 7, 8) + 1
    expected = F.scaled_dot_product_attention(q[:, None], keys, values).flatten()
    found = attend(q.numpy(), keys.numpy(), values.numpy(), 8**-0.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_pass_extends_the_cache_as_the_model_does(model):
    backend, ours, theirs = NumpyBackend(model), KVCache(model.config), KVCache(model.config)
    for token in (3, 1, 4):
        [logits] = backend([Part(ours, [token])])
        expected = model(torch.tensor([[token]]), cache=theirs)[0, -1]
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    assert ours.length == theirs.length == 3
    torch.testing.assert_close(ours.keys, theirs.keys, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.values, theirs.values, atol=1e-5, rtol=0)


def test_the_weights_of_the_model_are_not_changed(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    NumpyBackend(model)([Part(KVCache(model.config), [1])])
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())

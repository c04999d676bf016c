import copy

import pytest

from microgpt.model import GPT


@pytest.fixture(scope="session")
def half_model(model: GPT) -> GPT:
    """The small model with weights that float16 holds, as those of a saved checkpoint are."""
    rounded = copy.deepcopy(model)
    rounded.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    return rounded

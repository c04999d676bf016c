"""Controls of the Inside page; the text and the position are those of the Attention page."""

from microgpt.config import GPTConfig
from microgpt.sampling import SAMPLING_SETTINGS
from microgpt.ui.attention.controls import QUERY, TEXT, query_control
from microgpt.ui.controls import control

TAB = control("inside_view")
# The names of the tabs.
THROUGH, LAYER_BY_LAYER = "Through the model", "Layer by layer"
WHY, NEURONS, TOUR = "Why this character", "Neurons", "Tour"
BLOCK = control("block")
BLOCK_HEAD = control("block_head")
PICTURE_SAMPLING = {name: control(f"picture_{name}") for name in SAMPLING_SETTINGS}
POINT = control("after")
HALF_LAYERS = control("half_layers")
TARGET, AGAINST, PART = control("target"), control("against"), control("part")
# Their defaults, which depend on the position.
NEXT, LIKELIEST, LARGEST = "next in the text", "likeliest other", "largest"
TOP = "likeliest"  # of the target, at the end of the text
NEURON_LAYER, NEURON = control("neuron_layer"), control("neuron")
SCORED_ON, NEURON_TEXT = control("neurons_on"), control("neuron_text", url="short")
# The controls whose values are kept while another page or tab is open.
CONTROLS = [
    *(TEXT, QUERY, BLOCK, BLOCK_HEAD, POINT, HALF_LAYERS, TARGET, AGAINST, PART),
    *PICTURE_SAMPLING.values(),
    *(NEURON_LAYER, NEURON, SCORED_ON, NEURON_TEXT),
]


def position_control(text: str) -> int:
    """Show the control of the position and return it, from 0; by default the last one."""
    about = "The model predicts the character after this position."
    return query_control(text, about=about)


def point_names(config: GPTConfig) -> list[str]:
    """The name of each point of the residual stream, to follow the word "after"."""
    names = ["the embeddings"]
    for layer in range(1, config.n_layer + 1):
        names += [f"the attention of layer {layer}", f"layer {layer}"]
    return names

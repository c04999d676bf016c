"""Our attention maps and those of the export, shown by BertViz and CircuitsVis."""

import json
import re
from pathlib import Path

import pytest
import torch

from microgpt import interop
from microgpt.analysis.attention import attention_maps
from microgpt.checkpoint import Checkpoint, load

TEXT = "ba do\nke li"


@pytest.fixture(scope="module")
def ours(exportable_checkpoint) -> Checkpoint:
    return load(exportable_checkpoint)


@pytest.fixture(scope="module")
def exported(ours, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("viewers") / "exported"
    interop.export(ours, "transformers", folder)
    return folder


def test_bertviz_shows_our_attention_from_the_exported_model(ours, exported):
    from bertviz import head_view
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(exported)
    model = AutoModelForCausalLM.from_pretrained(exported, attn_implementation="eager")
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.inference_mode():
        attention = model(ids, output_attentions=True).attentions
    shown = head_view(attention, list(TEXT), html_action="return", prettify_tokens=False)

    data, *_ = re.findall(  # the data are there twice, once in a comment
        r'"attn": (\[.*?\]), "left_text": (\[.*?\])', shown.data
    )
    expected = attention_maps(ours.model, ours.tokenizer.encode(TEXT)).weights
    torch.testing.assert_close(torch.tensor(json.loads(data[0])), expected, rtol=0, atol=1e-5)
    assert json.loads(data[1]) == list(TEXT)


def test_circuitsvis_shows_our_attention(ours):
    from circuitsvis.attention import attention_heads

    maps = attention_maps(ours.model, ours.tokenizer.encode(TEXT)).weights
    shown = attention_heads(attention=maps[1], tokens=list(TEXT)).local_src
    (values,) = re.findall(r'"attention": (\[.*?\]), "tokens"', shown)
    torch.testing.assert_close(torch.tensor(json.loads(values)), maps[1], rtol=0, atol=1e-6)

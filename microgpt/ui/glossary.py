"""A glossary: captions in which each technical term explains itself."""

import re
from html import escape
from typing import Literal

import streamlit as st

# One sentence for each term, for a reader of sixteen. The keys are lower case and singular.
GLOSSARY = {
    "activation": "How strongly a neuron fires at a character: 0, or nearly, if it is silent.",
    "ablation": "Switching off a part of the model to see what that part does.",
    "attention": "How a model takes information from earlier characters: each character gives "
    "weights to itself and to those before it, and the weights sum to 1.",
    "baseline": "A very simple way of predicting, to compare the model with.",
    "batch": "The pieces of text that the model reads before its weights change once.",
    "bigram": "A model that knows only which character follows which, and how often.",
    "bit": "A unit of surprisal: one bit for each fair coin whose result must be guessed. One nat "
    "is 1.44 bits.",
    "checkpoint": "The files of a trained model: its weights, its characters and how it was "
    "trained.",
    "context length": "How many earlier characters the model can see.",
    "cross-attention": "Attention from one text to another: each character that is written gives "
    "weights to the characters of the input.",
    "decoder": "The half of a translating model that writes the output, one character after "
    "another.",
    "divergence": "How different two predictions are, in nats: 0 if they are the same.",
    "dropout": "Switching off numbers of the model at random in training, so that it does not "
    "learn its text by heart.",
    "embedding": "The numbers with which the model starts at each position: what the character is, "
    "and where it stands.",
    "encoder": "The half of a translating model that reads the whole input at once.",
    "encoder–decoder": "A model of two halves: the encoder reads one text, and the decoder writes "
    "another one from it.",
    "entropy": "How undecided a distribution is: 0 if one character is certain, and high if many "
    "are equally likely.",
    "gpt": "A generative pre-trained transformer: a neural network that predicts what comes next "
    "in a text, from what came before.",
    "gradient clipping": "Making a change of the weights smaller if it would be too large.",
    "gradient norm": "How steep the loss of a batch is: how much a small change of the weights can "
    "change it.",
    "head": "One of several parts of a layer that each pay attention in their own way.",
    "induction": "Looking up what came next the last time: after the same character as before, the "
    "head attends to the character that followed it then.",
    "key": "What a character offers to be found by: attention goes to the characters whose keys "
    "match the query.",
    "layer": "One step of the model: attention, and then a small neural network for each "
    "character. Each layer works on the result of the layer before it.",
    "layernorm": "A step that shifts and scales the numbers of each position, so that they have a "
    "mean of 0 and always the same spread.",
    "logit": "The score of a character before the scores become probabilities: one more makes the "
    "character e = 2.7 times as likely, compared with the others.",
    "logit lens": "Reading the prediction from the middle of the model, as if it ended there.",
    "held-out": "Never shown in the training; it tests what the model does with new input.",
    "loss": "How badly the model predicts: the mean surprisal of the characters that really come "
    "next. Lower is better.",
    "masked": "Left out of the attention, as if it were not there.",
    "mlp": "The part of a layer that works on each position alone: a small neural network with one "
    "row of neurons.",
    "nat": "The unit of surprisal: a character with probability p has -ln p nats. 0 means that it "
    "was certain, and 1 that it had a probability of 37 %.",
    "neuron": "One of the numbers inside an MLP: high if the neuron fires, else 0 or nearly.",
    "optimizer update": "One small change of all weights of the model, after it has read a batch "
    "of text.",
    "output head": "The last part of the model: it turns the numbers of a position into a logit "
    "for each character.",
    "overfitting": "Learning the training text by heart instead of what it has in common with "
    "other texts.",
    "parameter": "A number of the model that training sets; also called a weight.",
    "prompt": "The text that the model continues.",
    "query": "What a character looks for in the characters before it.",
    "residual connection": "A way around a part of the model: the result of the part is added to "
    "its input.",
    "residual stream": "The numbers that run through all layers; each layer adds its result to "
    "them.",
    "roc curve": "How many true cases a test finds against how many false alarms it gives, for "
    "each threshold. The area under it is 0.5 for a coin toss and 1 for a perfect test.",
    "sample": "A text that the model writes by drawing one character after another at random, by "
    "their probabilities.",
    "self-attention": "Attention within one text: its characters look at each other.",
    "seed": "A number that fixes the random draws: the same seed gives the same text.",
    "snapshot": "What the model did at one step of its training.",
    "surprisal": "How unexpected a character was: -ln of its probability, in nats.",
    "temperature": "Below 1, likely characters are drawn even more often; above 1, unlikely ones "
    "are drawn more often.",
    "top-k": "Only the k most likely characters can be drawn.",
    "top-p": "Only the most likely characters that together reach the probability p can be drawn.",
    "training split": "The part of the text that the model learned from.",
    "two back": "The character before the previous one.",
    "validation split": "The part of the text that the model never learned from; it shows how well "
    "the model predicts new text.",
    "vector": "A list of numbers, its channels. Its length is the square root of the sum of their "
    "squares.",
    "window": "The characters that the model can see at once.",
}
# Longer terms first, so that "validation split" is not read as a shorter term.
_TERMS = re.compile(
    r"`[^`]*`|\[[^]]*\]\([^)]*\)|(?<![\w-])("
    + "|".join(sorted(map(re.escape, GLOSSARY), key=len, reverse=True))
    + r")(s?)(?![\w-])",
    re.IGNORECASE,
)


def caption(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """Show a caption; its technical terms are underlined and explained.

    A term is explained when it is pointed at, focused or tapped (assets/layout.css). text: Markdown
    in which text from outside is escaped.
    """
    st.caption(with_definitions(text), unsafe_allow_html=True, width=width)


def with_definitions(text: str) -> str:
    """Put the first occurrence of each term of GLOSSARY into an element with its definition."""
    seen: set[str] = set()

    def explained(found: re.Match[str]) -> str:
        term = (found[1] or "").lower()
        if not term or term in seen:  # code, a link, or explained already
            return found[0]
        seen.add(term)
        definition = escape(GLOSSARY[term], quote=True)
        return f'<span class="term" tabindex="0" data-definition="{definition}">{found[0]}</span>'

    return _TERMS.sub(explained, text)

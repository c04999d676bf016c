"""What the stops of the tour say: two sentences each, with figures of the checkpoint."""

from microgpt.analysis.predictions import model_probs
from microgpt.analysis.presets import presets
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import best_validation
from microgpt.checkpoint.runs import IDEAS
from microgpt.ui.cache.checkpoints import bundled_runs
from microgpt.ui.cache.writing import next_logits
from microgpt.ui.charts.style import in_text, isolated, sign
from microgpt.ui.inside.neuron_texts import clearest_found, kind_name
from microgpt.ui.text import counted, markdown

# How many characters of the text the first stop quotes.
_END = 21


def about_writing(checkpoint: Checkpoint, text: str) -> str:
    probabilities = model_probs(next_logits(checkpoint, text)).numpy()
    best = int(probabilities.argmax())
    char = markdown(isolated(sign(checkpoint.tokenizer.characters[best])))
    end = " ".join(text.split())[-_END:] or sign(text[-1])
    end = markdown(isolated("".join(map(in_text, end))))
    return (
        "The model does one thing: it reads a text and gives each of the "
        f"{checkpoint.config.vocab_size:,} characters that it knows a probability to come next. "
        "One of them is drawn and added to the text, and the same starts again: after a text "
        f"that ends with “{end}”, “{char}” is the likeliest, with "
        f"{100 * probabilities[best]:.0f} %."
    )


def about_numbers(checkpoint: Checkpoint, text: str) -> str:
    config = checkpoint.config
    each = ", which" if config.n_layer == 1 else ", and each of them"
    does = "adds its result to the list" if config.residual else "replaces the list with its result"
    return (
        f"Inside the model, each character of the text is a list of {config.n_embd:,} numbers, "
        f"which starts as what the character is and where it stands. The list goes through "
        f"{counted(config.n_layer, 'layer')}{each} {does}; these lists are the residual stream."
    )


def about_attention(checkpoint: Checkpoint, text: str) -> str:
    about = (
        "Attention is the only part in which a character learns something from the characters "
        "before it. "
    )
    bigram = checkpoint.baselines.val_loss.get("bigram") if checkpoint.baselines else None
    window = checkpoint.config.block_size
    loss = _validation_loss(checkpoint)
    if bigram is None or loss is None:
        return f"{about}This model looks back at up to {window:,} of them."
    return (
        f"{about}A model that knows only the last character has a loss of {bigram:.2f} on new "
        f"text; this one looks back at up to {window:,} characters and has {loss:.2f}."
    )


def about_ablation(checkpoint: Checkpoint, text: str) -> str:
    about = (
        "To learn what a part of the model is for, switch it off and see what the model can no "
        "longer do. "
    )
    if checkpoint.head_scores is None:
        return f"{about}The loss shows how much worse it predicts without this part."
    return about + presets(checkpoint.head_scores)[1].about


def about_phases(checkpoint: Checkpoint, text: str) -> str:
    about = (
        "A residual connection adds what a part computes to the list of numbers instead of "
        "replacing the list, and LayerNorm first brings the numbers to one scale. "
    )
    runs = {run.name: run.training.val_loss_full for run in bundled_runs()}
    losses = [runs.get(phase) for phase in IDEAS]
    if None in losses:
        return f"{about}Both keep the numbers in a range in which training works."
    alone, residual, norm, final = losses
    return (
        f"{about}Four small models of {counted(_layers(), 'layer')} show what this is worth: "
        f"attention and MLP alone reach a loss of {alone:.3f}, with residual connections and a "
        f"wider MLP it is {residual:.3f}, with LayerNorm in each layer {norm:.3f}, and with one "
        f"more at the end {final:.3f}. At this size, the residual connections matter most."
    )


def about_neurons(checkpoint: Checkpoint, text: str) -> str:
    width = checkpoint.config.mlp_ratio * checkpoint.config.n_embd
    about = (
        f"After attention, a small network (MLP) of {width:,} neurons works on each character by "
        "itself: a neuron is silent, or it fires when it finds what it looks for. "
    )
    found = clearest_found(checkpoint)
    if found is None:
        return f"{about}What a neuron looks for shows in the characters that excite it."
    kind = kind_name(found.kind)
    return (
        f"{about}Neuron {found.neuron + 1} of layer 1 recognises {markdown(kind)} with a score of "
        f"{found.score:.2f}, where 1 is perfect and the best neuron by luck would have "
        f"{found.chance:.2f}."
    )


def about_lens(checkpoint: Checkpoint, text: str) -> str:
    count = checkpoint.config.n_layer
    seen = "what its only layer changes about each prediction"
    if count > 1:
        seen = f"in which of the {count} layers the model makes up its mind about each character"
    return (
        "The last step of the model turns the list of numbers into probabilities, and it can do so "
        f"with the list after any layer (the logit lens). So you can see {seen}."
    )


def about_why(checkpoint: Checkpoint, text: str) -> str:
    config = checkpoint.config
    parts = (
        f"{counted(config.n_layer * config.n_head, 'head')} and {counted(config.n_layer, 'MLP')}"
    )
    if not config.residual:
        return (
            f"The score of each possible next character (its logit) comes from {parts}. In this "
            "model each layer replaces the numbers, so only the last one adds to a logit directly."
        )
    return (
        f"Because the {parts} add to the same list of numbers, the score of each possible next "
        "character (its logit) is a sum, with one term for each part. So the model’s choice can be "
        "taken apart: which part spoke for this character, and which against it?"
    )


def about_training(checkpoint: Checkpoint, text: str) -> str:
    measured = [row.val_loss for row in checkpoint.loss_record if row.val_loss is not None]
    about = (
        f"Nobody wrote these rules into the model: its {checkpoint.model.parameter_count():,} "
        "numbers started at random, and each step of the training changed them a little. "
    )
    if not measured:
        steps = checkpoint.training.steps
        count = f"{steps:,}" if steps else "many"  # an imported model may not say how many
        return f"{about}After {count} steps it is the model that you see."
    return (
        f"{about}In {checkpoint.training.steps:,} steps, the loss on new text fell from "
        f"{measured[0]:.2f} to {measured[-1]:.2f}."
    )


def about_own_text(checkpoint: Checkpoint, text: str) -> str:
    return (
        "Now it is your turn: replace the text below with your own, and follow it through the "
        "model. All views of this tour then show your text."
    )


def _validation_loss(checkpoint: Checkpoint) -> float | None:
    if checkpoint.training.val_loss_full is not None:
        return checkpoint.training.val_loss_full
    best = best_validation(checkpoint.loss_record)
    return best.val_loss if best else None


def _layers() -> int:
    """The number of layers of the small models."""
    return next(run.config.n_layer for run in bundled_runs() if run.name in IDEAS)

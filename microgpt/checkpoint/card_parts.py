"""What the model cards of both kinds have: metadata, the training, untrusted text as Markdown."""

from typing import Any

from microgpt.checkpoint.provenance import UNKNOWN_COMMIT, Training
from microgpt.checkpoint.throughput import characters_per_second, estimate_mfu
from microgpt.config import GPTConfig


def one_line(text: str) -> str:
    """Put untrusted text on one line, without control characters or lone surrogates."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def code(text: str) -> str:
    """Write untrusted text as a Markdown code span; a pipe in it would break a table row."""
    return "`" + (one_line(text).replace("`", "'") or "unknown") + "`"


def front_matter(task: str, tags: list[str], result: dict[str, Any] | None, **fields: Any) -> str:
    """The block of YAML metadata of a card, or "" if the client of the Hub is not installed.

    Training can save a checkpoint on such a machine too. task: as the Hub names it. result: a
    measurement, the fields of an EvalResult, or None. fields: others of ModelCardData.
    Format: huggingface.co/docs/hub/model-cards.
    """
    try:
        # Imported here so that loading a checkpoint does not need the client.
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:
        return ""
    data = ModelCardData(
        library_name="pytorch",
        pipeline_tag=task,
        tags=["microgpt", *tags],
        model_name="microGPT" if result else None,
        eval_results=[EvalResult(task_type=task, **result)] if result else None,
        **fields,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def procedure(model: GPTConfig, training: Training) -> str:
    """The command of a run, what it took, and its settings."""
    config = training.config
    settings = model.to_dict() | ({} if training.imported else config.to_dict())
    rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    table = f"| setting | value |\n| --- | --- |\n{rows}"
    if training.imported:
        return f"""\
    {one_line(training.command)}

Imported on {code(training.finished)} from {code(training.imported)}.

{table}"""
    more = ""
    if (share := estimate_mfu(model, training)) is not None:
        more += f"""
That is {characters_per_second(training):,.0f} characters/s, and {share:.1%} of the speed of large
matrix products on that machine (MFU)."""
    if training.commit != UNKNOWN_COMMIT:
        more += f"\nThe code is that of commit {code(training.commit)}."
    if training.changes:
        more += f"""\n
The run was resumed with other settings; the table holds the last ones. Changed
{code(training.changes)}."""
    return f"""\
    {one_line(training.command)}

Preset {code(training.preset)}, finished {code(training.finished)} after {training.steps:,} of
{config.steps:,} steps: {training.tokens:,} characters in {training.seconds:,.0f} s without
evaluations, on {code(training.hardware)} with PyTorch {code(training.torch)}.{more}

{table}"""

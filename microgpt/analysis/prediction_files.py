"""The predictions of a text as a CSV table, and as values for a JSON file."""

import csv
import io
from collections.abc import Mapping

import numpy as np

from microgpt.analysis.predictions import Predictions
from microgpt.formats import defused
from microgpt.sampling import SamplingConfig


def to_json(predictions: Predictions, config: SamplingConfig) -> dict[str, list[float]]:
    """The measurements of each character, as values for a JSON file.

    Probabilities have four significant digits, and nats four decimals. drawn_with is the
    probability with these sampling settings.
    """

    def rounded(probs: np.ndarray) -> list[float]:
        return [float(f"{p:.4g}") for p in probs.tolist()]

    return {
        "probability": rounded(predictions.probability),
        "drawn_with": rounded(predictions.drawn_with(config)),
        "rank": predictions.rank.tolist(),
        "entropy_nats": [round(e, 4) for e in predictions.entropy.tolist()],
    }


def to_csv(
    predictions: Predictions,
    characters: str,
    config: SamplingConfig | None = None,
    constants: Mapping[str, object] | None = None,
) -> str:
    """A CSV table with one row for each character; control characters are escaped.

    Probabilities have four significant digits, and nats four decimals.

    config: adds a column drawn_with, the probability with these sampling settings.
    constants: extra columns, each with one value for all rows.
    """
    columns: dict[str, list[object]] = {
        "position": list(range(1, len(predictions) + 1)),
        "character": [repr(characters[token])[1:-1] for token in predictions.tokens.tolist()],
        "probability": [f"{p:.4g}" for p in predictions.probability.tolist()],
        "surprisal_nats": [f"{s:.4f}" for s in predictions.surprisal.tolist()],
        "rank": predictions.rank.tolist(),
        "entropy_nats": [f"{e:.4f}" for e in predictions.entropy.tolist()],
    }
    if config is not None:
        columns["drawn_with"] = [f"{p:.4g}" for p in predictions.drawn_with(config).tolist()]
    for name, value in (constants or {}).items():
        columns[name] = [defused(value) if isinstance(value, str) else value] * len(predictions)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()

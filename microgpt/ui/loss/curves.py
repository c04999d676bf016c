"""The Curves tab: training and validation loss over the run."""

import math
from dataclasses import asdict

import pandas as pd
import streamlit as st

from microgpt.checkpoint import AnyCheckpoint
from microgpt.checkpoint.loss_record import best_validation, to_csv
from microgpt.checkpoint.runs import ORIGINAL
from microgpt.ui.allowed import Numbers, OneOf, Switch
from microgpt.ui.charts import loss as loss_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.controls import CONTROL_WIDTH, control
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.loss.steps import CURVES, steps_from
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text import escaped

_X_AXIS, _LOG_X, _LOG_Y = control("over"), control("log_x"), control("log_y")
_SMOOTHING = control("smoothing")

_NUMBER = st.column_config.NumberColumn
# The most important columns come first, because a phone shows only three.
TABLE = {
    "step": _NUMBER("step", format="localized"),
    "val_loss": _NUMBER("validation loss (nats per character)", format="%.4f"),
    "train_loss": _NUMBER("training loss (nats per character)", format="%.4f"),
    "batch_loss": _NUMBER("batch loss (nats per character)", format="%.4f"),
    "tokens": _NUMBER("characters read", format="localized"),
    "seconds": _NUMBER("training time (s)", format="%.1f"),
    "wall_seconds": _NUMBER("time with evaluations (s)", format="%.1f"),
    "learning_rate": _NUMBER("learning rate", format="%.3g"),
    "grad_norm": _NUMBER("gradient norm", format="%.3f"),
}


def curves_view(checkpoint: AnyCheckpoint) -> None:
    """Show the main numbers, the loss curves, the learning rate and the gradient norm."""
    training = checkpoint.training
    best = best_validation(checkpoint.loss_record)
    if best is None or best.val_loss is None:
        imported = checkpoint.training.imported
        st.info(
            escaped(
                f"This model was trained with other code, which kept no loss record ({imported})."
            )
            if imported
            else "The loss record of this checkpoint holds no validation loss."
        )
        next_steps(*steps_from(CURVES, checkpoint))
        return
    _metrics(checkpoint, best.val_loss)
    frame = pd.DataFrame(checkpoint.loss_columns)
    comparable = training.on_tiny_shakespeare
    names = ("the original, training", "the original, validation")
    references = dict(zip(names, ORIGINAL["seed"], strict=True)) if comparable else {}
    with st.container(key="axes", horizontal=True, vertical_alignment="bottom"):
        x_axis, log_x, log_y = axis_controls()
        smoothing = _smoothing_control()
    st.plotly_chart(
        loss_charts.loss_curves(frame, asdict(best), references, x_axis, log_x, log_y, smoothing),
        height=400,
        config=menu("microgpt-loss"),
        alt="Training and validation loss",
    )
    recipe = training.config
    caption(
        "Lower is better. If the training loss falls while the validation loss does not, the model "
        "learns its training text by heart (overfitting)."
        + (" Dotted lines: the final losses of the original microGPT." if comparable else "")
    )
    with st.expander("How the losses are measured"):
        caption(
            f"Each point is the mean loss over {recipe.eval_batches} random batches of "
            f"{recipe.batch_size} windows, without dropout. It is measured with the weights that "
            "a checkpoint of that step would hold. The thin line is the loss of each training "
            "batch, with dropout."
        )
    with st.expander("Gap, learning rate and gradient norm"):
        st.plotly_chart(
            loss_charts.training_details(frame, x_axis, log_x),
            height=460,
            config=menu("microgpt-training"),
            alt="Gap between the losses, learning rate and gradient norm",
        )
        caption(
            "The gap is the validation loss minus the training loss. "
            "The gradient norm is measured before gradient clipping."
        )
    with st.expander("As a table"):
        estimates = frame.dropna(subset="val_loss")
        shown = loss_charts.evenly_spaced(estimates)
        st.dataframe(
            shown,
            hide_index=True,
            column_order=list(TABLE),
            column_config=TABLE,
            placeholder="",
        )
        if len(shown) < len(estimates):
            caption(
                f"The table shows {len(shown):,} of {len(estimates):,} estimates. The file holds "
                "the whole record."
            )
        name = "loss_record.csv"
        download(name, lambda of: to_csv(of.loss_record), name, of=checkpoint)
    next_steps(*steps_from(CURVES, checkpoint))


def axis_controls() -> tuple[str, bool, bool]:
    """Show the controls of the axes, which two tabs share.

    Return a key of X_AXES, and whether the x-axis and the y-axis are logarithmic.
    """
    choices = list(loss_charts.X_AXES)
    allowed = _X_AXIS.args(OneOf(choices, choices[0]))
    x_axis = st.selectbox("x-axis", choices, **allowed, width=CONTROL_WIDTH)
    log_x = st.toggle(
        "Log x",
        **_LOG_X.args(Switch()),
        help="Logarithmic x-axis: the first steps get more space. Step 0 is not shown.",
    )
    log_y = st.toggle("Log y", **_LOG_Y.args(Switch()), help="Logarithmic y-axis.")
    return x_axis, log_x, log_y


def _smoothing_control() -> float:
    return st.slider(
        "Smoothing",
        0.0,
        0.99,
        0.0,
        0.01,
        **_SMOOTHING.args(Numbers(0.0, 0.99, 0.0)),
        width=CONTROL_WIDTH,
        help="Adds a moving average of the batch losses. A higher value gives a smoother line.",
    )


def _metrics(checkpoint: AnyCheckpoint, best: float) -> None:
    training = checkpoint.training
    full = training.val_loss_full
    with st.container(key="numbers", horizontal=True, vertical_alignment="bottom"):
        if full is not None:
            st.metric(
                "Validation loss (nats per character)",
                f"{full:.4f}",
                help="Measured on the whole validation split.",
            )
            st.metric("Validation loss (bits per character)", f"{full / math.log(2):.3f}")
        st.metric(
            "Best estimate (nats per character)",
            f"{best:.4f}",
            help="The lowest validation loss in the chart, measured on random batches.",
        )
        st.metric("Steps", f"{training.steps:,}")
        st.metric("Characters read", _short(training.tokens))
        st.metric("Training time", _duration(training.seconds))


def _short(count: int) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count:,}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"

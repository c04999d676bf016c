"""A run: while it waits, trains and is measured, and what to do with it when it is done."""

import re
from collections.abc import Callable

import streamlit as st

from microgpt.checkpoint.archive import pack
from microgpt.errors import MicroGPTError
from microgpt.training.job_status import JobStatus
from microgpt.training.jobs import Jobs
from microgpt.ui.attention.controls import TAB as ATTENTION_TAB
from microgpt.ui.attention.steps import LIFE, MAPS
from microgpt.ui.cache.training import jobs
from microgpt.ui.checkpoints import REPO
from microgpt.ui.components.training_run.training_run import head_curves, training_run
from microgpt.ui.controls import Control
from microgpt.ui.download import download
from microgpt.ui.generate.controls import TAB as GENERATE_TAB
from microgpt.ui.generate.controls import WRITE
from microgpt.ui.glossary import caption
from microgpt.ui.inside.controls import TAB as INSIDE_TAB
from microgpt.ui.inside.controls import THROUGH
from microgpt.ui.loss.steps import COMPARE
from microgpt.ui.loss.steps import TAB as LOSS_TAB
from microgpt.ui.next_steps import ATTENTION, GENERATE, INSIDE, LOSS_RECORD, Step, next_steps
from microgpt.ui.opened import open_run
from microgpt.ui.text import escaped
from microgpt.ui.train.controls import RUN

_NEW = "new run"


def show_run(run: str) -> None:
    """Have the next run of the page show a run; empty for the choice of a text."""
    st.session_state[_NEW] = run


def shown_run() -> str:
    """The id of the run that the page shows, which the link keeps; empty for none."""
    if (new := st.session_state.pop(_NEW, None)) is not None:
        RUN.choose(new)
    with st.container(key="hidden_run"):
        return st.text_input("The run", **RUN.widget_args)


def run_view(run: str) -> None:
    """Show a run; until it ends, the page updates it every second without running again."""
    try:
        status = jobs().status(run)
    except MicroGPTError as error:
        st.error(escaped(f"{error.for_visitors}."))
        st.button("Train a model", type="primary", on_click=show_run, args=("",))
        return
    if status.ended:
        _ended(run, status)
    else:
        _live(run)


@st.fragment(run_every=1.0)
def _live(run: str) -> None:
    try:
        status = jobs().status(run)
    except MicroGPTError:  # run_view says why
        st.rerun()
    if status.ended:
        st.rerun()
    with st.container(key="run_row", horizontal=True, vertical_alignment="center"):
        st.markdown(_headline(status), width="stretch")
        with st.container(key="run_controls", horizontal=True, width="content", gap="small"):
            _buttons(run, status)
    st.progress(min(1.0, status.step / status.steps))
    _results(status)


def _headline(status: JobStatus) -> str:
    """What the run is doing, as Markdown."""
    name = f"**{escaped(status.source.data)}**"
    if status.state == "queued":
        ahead = "next" if status.place == 1 else f"number {status.place} in the queue"
        return f"{name} · waiting: your run is {ahead}. It starts by itself."
    if status.state == "finishing":
        return f"{name} · done training; measuring what each head attends to …"
    if not status.rows:
        return f"{name} · starting …"
    parts = [name, f"step {status.step:,} of {status.steps:,}"]
    if status.state == "paused":
        parts.append("paused")
    else:
        if status.tokens_per_second:
            parts.append(f"{float(f'{status.tokens_per_second:.2g}'):,.0f} characters/s")
        if status.seconds_left is not None:
            parts.append(f"{duration(status.seconds_left)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """A time as a person says it: 40 s, 3 minutes."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{float(f'{seconds / 60:.2g}'):g} minutes"


def _buttons(run: str, status: JobStatus) -> None:
    if status.state == "paused":
        _button("Go on", Jobs.go_on, run, ":material/play_arrow:")
    elif status.state == "training":
        _button("Pause", Jobs.pause, run, ":material/pause:")
    if status.state in ("training", "paused") and status.rows:
        _button("Stop and keep", Jobs.stop, run, ":material/stop:")
    _button("Give up", Jobs.give_up, run, ":material/delete:", leave=True)


def _button(
    label: str, action: Callable[[Jobs, str], None], run: str, icon: str, leave: bool = False
) -> None:
    if st.button(label, icon=icon):
        try:
            action(jobs(), run)
        except MicroGPTError as error:  # the run has just ended
            st.toast(escaped(f"{error.for_visitors}."))
        if leave:
            show_run("")
        st.rerun(scope="app" if leave else "fragment")


def _results(status: JobStatus) -> None:
    """Show the losses, the samples and the scores of the heads, as far as they are known."""
    training_run(
        "training_run",
        status.rows,
        status.steps,
        status.baselines,
        status.samples,
        f"{_file_name(status.source.data)}-loss",
    )
    if status.scores:
        caption(
            "What each head attends to, by training step: a line for each score, from none of its "
            "attention to all of it. The highest score is thick and named, in bold from 30 % on."
        )
        file = f"{_file_name(status.source.data)}-heads"
        head_curves("head_curves", status.steps, status.scores, file)


def _ended(run: str, status: JobStatus) -> None:
    if status.state == "failed":
        st.error(sentence(status.error or "the run failed"))
    elif status.note:
        st.info(sentence(status.note))
    with st.container(key="run_row", horizontal=True, vertical_alignment="center"):
        st.markdown(_outcome(status), width="stretch")
        with st.container(key="run_actions", horizontal=True, width="content", gap="small"):
            if status.folder is not None:
                opened = _step("Open it", GENERATE, GENERATE_TAB, WRITE, run)
                st.button("Open it", type="primary", icon=":material/login:", on_click=opened.take)
                file, folder = _file_name(status.source.data), status.folder
                download("Download", lambda: pack(folder, file), f"{file}.zip")
            st.button("Train another", icon=":material/add:", on_click=show_run, args=("",))
    _results(status)
    if status.folder is not None:
        _publish(_file_name(status.source.data))
        attention = [
            _step("See its attention", ATTENTION, ATTENTION_TAB, MAPS, run),
            _step("Watch one head form", ATTENTION, ATTENTION_TAB, LIFE, run),
        ]
        next_steps(
            *(attention if status.model.block_size > 1 else ()),  # or it has one weight, always 1
            _step("Look inside", INSIDE, INSIDE_TAB, THROUGH, run),
            _step("Compare its loss with other runs", LOSS_RECORD, LOSS_TAB, COMPARE, run),
        )


def sentence(clause: str) -> str:
    """A message as a sentence, as Markdown."""
    return escaped(f"{clause[0].upper()}{clause[1:]}.")


def _outcome(status: JobStatus) -> str:
    """What the run has reached, as Markdown."""
    name = f"**{escaped(status.source.data)}**"
    losses = [row.val_loss for row in status.rows if row.val_loss is not None]
    if not losses:
        return name
    parts = f"{name} · {status.step:,} steps, validation loss {losses[-1]:.2f} nats per character"
    if "bigram" in status.baselines:
        parts += f"; the bigram has {status.baselines['bigram']:.2f}"
    return parts


def _step(label: str, page: str, tab: Control, view: str, run: str) -> Step:
    """A step that opens the run's checkpoint on another page."""
    return Step(label, page, tab, view, prepare=lambda: open_run(run, REPO))


def _file_name(title: str) -> str:
    """A name for the folder of a checkpoint, which every system allows."""
    return re.sub(r"[^\w-]+", "-", title, flags=re.ASCII).strip("-")[:40].lower() or "checkpoint"


def _publish(name: str) -> None:
    with st.expander("Publish it on the Hugging Face Hub, or keep it on your machine"):
        caption(
            "Download the zip, unpack it in a copy of this app, and publish the folder; anyone can "
            "then type USER/NAME into the sidebar of this app. To open it again only for yourself, "
            "drop the zip into the sidebar. A checkpoint holds up to 140 characters of its text."
        )
        st.code(
            f"hf auth login\npython -m microgpt publish --checkpoint {name} --repo USER/{name}",
            language="bash",
        )

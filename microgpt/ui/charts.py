"""Arrays and data frames in, plotly figures and images out; no streamlit and no torch here."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

# Perceptually uniform, safe for colour-blind readers, monotone in grey.
ATTENTION_SCALE = "Viridis"
# How a map's colours follow its weights, as its legend names it.
MAP_SCALES = {
    "linear": "attention (share of the row)",
    "log": "attention (share of the row), logarithmic",
    "row": "attention, as a share of the row's largest",
}
_FAINTEST = 1e-3
# The most that a map is wide in the overview, where it is about so large on the screen.
_OVERVIEW_PIXELS = 64
_VISIBLE = {"\n": "⏎", " ": "␣", "\t": "⇥"}
# Labels that fit side by side in the width, and below each other in the height, of a chart.
_MOST_ACROSS, _MOST_DOWN = 48, 40
_STEPS = (5, 10, 20, 25, 50, 100, 200, 500)  # the last for the longest window there may be
CALM, VIVID, GREY = "#2a78a8", "#d2691e", "#8a8a8a"
MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu has its place at the top
_ZOOM = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"]


def menu(file_name: str, image: str = "svg") -> dict[str, object]:
    """The options of a chart's own menu: take it home as SVG or PNG; a swipe scrolls the page.

    The menu knows one format at a time, and a button of one's own would have to be JavaScript.
    """
    scale = 2 if image == "png" else 1  # pixels for a good screen; lines need no more
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": _ZOOM,
        "toImageButtonOptions": {"format": image, "filename": file_name, "scale": scale},
    }


def visible(text: str) -> list[str]:
    """The characters of a text, those that cannot be seen replaced by a sign."""
    return [_VISIBLE.get(char, char) for char in text]


def _lookup_table() -> np.ndarray:
    levels = plotly.colors.sample_colorscale(ATTENTION_SCALE, np.linspace(0, 1, 255).tolist())
    return np.array([plotly.colors.unlabel_rgb(level) for level in levels]).round().astype(np.uint8)


_PALETTE = _lookup_table().tobytes() + bytes(3)  # 255 levels, and one that is not seen
_TRANSPARENT = 255


def palette() -> list[list[int]]:
    """The attention scale's colours [red, green, blue] for 256 levels from 0 to 1."""
    levels = plotly.colors.sample_colorscale(ATTENTION_SCALE, np.linspace(0, 1, 256).tolist())
    return [[round(part) for part in plotly.colors.unlabel_rgb(level)] for level in levels]


def attention_overview(weights: np.ndarray) -> bytes:
    """Maps (rows, columns, T, T) side by side as one PNG; cells after the diagonal are transparent.

    A map takes a square; in that of a long text a pixel shows the largest of several weights.
    """
    rows, columns, size, _ = weights.shape
    step = -(-size // _OVERVIEW_PIXELS)
    pixels = -(-size // step)
    spare = (0, pixels * step - size)
    padded = np.pad(weights, ((0, 0), (0, 0), spare, spare))
    # One axis after the other is three times as fast as both at once.
    blocks = padded.reshape(rows, columns, pixels, step, -1).max(axis=3)
    blocks = blocks.reshape(rows, columns, pixels, pixels, step).max(axis=4)
    levels = np.round(np.clip(blocks, 0, 1) * 254).astype(np.uint8)
    seen = np.tril(np.ones((pixels, pixels), dtype=bool))
    tiles = np.where(seen, levels, np.uint8(_TRANSPARENT))  # (rows, columns, pixels, pixels)
    image = Image.fromarray(tiles.swapaxes(1, 2).reshape(rows * pixels, columns * pixels), "L")
    image.putpalette(_PALETTE)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=_TRANSPARENT)
    return out.getvalue()


def positions(text: str) -> list[str]:
    """A name for each character of a text, different for all of them."""
    return [f"{at} {label}" for at, label in enumerate(visible(text), start=1)]


def _axis(names: Sequence[str], labels: Sequence[str], most: int) -> dict[str, object]:
    # Characters that are not side by side would read as a word that is not there; of numbers,
    # which are wide, there are fewer.
    every, ticks = 1, labels
    if len(names) > most:
        every = next(step for step in _STEPS if 3 * len(names) <= most * step)
        ticks = list(range(every, len(names) + 1, every))
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": names[every - 1 :: every],
        "ticktext": ticks,
        "tickangle": 0,
        "tickfont": {"family": "monospace", "size": 10},
        "showgrid": False,
        "zeroline": False,
    }


def _lower_rows(cells: np.ndarray) -> np.ndarray:
    """A (T, T) array as T lists, each up to the diagonal: a chart leaves the rest blank.

    Short numbers are the fewest bytes to send that still tell what they are.
    """
    rows = np.empty(len(cells), dtype=object)
    rows[:] = [row[: at + 1] for at, row in enumerate(cells.tolist())]
    return rows


def _three_digits(weights: np.ndarray) -> np.ndarray:
    """Weights to three significant digits."""
    wide = weights.astype(np.float64)
    # Powers up to 22 are exact, so that what is divided by one has no digit more.
    units = 10.0 ** (2 - np.floor(np.log10(np.maximum(wide, 1e-20))))
    return np.round(wide * units) / units


def attention_map(weights: np.ndarray, text: str, scale: str = "linear") -> go.Figure:
    """One head's (T, T) map over a text of T characters; cells after the diagonal are blank.

    scale is one of MAP_SCALES; what hover tells is always the weight, to three digits.
    """
    labels = visible(text)
    names = positions(text)
    told = _lower_rows(_three_digits(weights))
    cells, bar = {"z": told}, {}
    if scale != "linear":
        if scale == "log":
            decades = -np.log10(_FAINTEST)
            shade = np.log10(np.maximum(weights, _FAINTEST)) / decades + 1
            bar = {"tickvals": [0, 1 / 3, 2 / 3, 1], "ticktext": ["≤ 0.001", "0.01", "0.1", "1"]}
        else:
            shade = weights / weights.max(axis=1, keepdims=True)
        # A screen has 256 shades.
        cells = {"z": _lower_rows(shade.astype(np.float64).round(3)), "customdata": told}
    figure = go.Figure(
        go.Heatmap(
            **cells,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            hoverongaps=False,
            colorbar={
                "title": {"text": MAP_SCALES[scale], "side": "bottom"},
                "orientation": "h",
                "thickness": 10,
                "y": -0.02,
                "yanchor": "top",
                **bar,
            },
            hovertemplate="%{y} looks at %{x}: "
            f"%{{{'z' if scale == 'linear' else 'customdata'}:.3g}}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="looked at (key position)", side="top", **_axis(names, labels, _MOST_ACROSS)
    )
    figure.update_yaxes(
        title="looking (query position)",
        autorange="reversed",
        **_axis(names, labels, _MOST_DOWN),
    )
    # On a phone the menu would lie on the title above the map.
    figure.update_layout(margin={**MARGIN, "t": 72}, dragmode=False)
    return figure


# One query's way from scores to what is added: name, unit.
STAGES = {
    "q·k": "score",
    "scaled": "score / √head size",
    "softmax": "attention (share)",
    "contribution": "norm of weight × value",
}


def stages(frame: pd.DataFrame) -> go.Figure:
    """What one query makes of every key it sees: a row of bars a stage, a column a key.

    frame: `key` and a column for each of STAGES.
    """
    figure = make_subplots(rows=len(STAGES), shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, unit) in enumerate(STAGES.items(), start=1):
        figure.add_bar(
            x=frame["key"],
            y=frame[name],
            marker_color=VIVID if name == "softmax" else CALM,
            hovertemplate=f"%{{x}}: %{{y:.3g}}<extra>{name}</extra>",
            row=row,
            col=1,
        )
        figure.update_yaxes(title=f"{name}<br><sub>{unit}</sub>", row=row, col=1)
    labels = [key.split(" ", 1)[1] for key in frame["key"]]
    figure.update_xaxes(**_axis(list(frame["key"]), labels, _MOST_ACROSS))
    figure.update_xaxes(title="key (what is looked at)", row=len(STAGES), col=1)
    figure.update_layout(margin=MARGIN, dragmode=False, showlegend=False, bargap=0.2)
    return figure


def head_values(frame: pd.DataFrame, column: str) -> go.Figure:
    """A number for each head as a grid; frame has `layer` and `head`, from 1, and the column."""
    grid = frame.pivot(index="layer", columns="head", values=column)
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=[f"H{head}" for head in grid.columns],
            y=[f"L{layer}" for layer in grid.index],
            colorscale=ATTENTION_SCALE,
            colorbar={"title": {"text": column, "side": "right"}, "thickness": 10},
            hovertemplate="%{y} %{x}: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", title="layer")
    figure.update_xaxes(title="head")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def shares_by_class(names: Sequence[str], values: Sequence[float]) -> go.Figure:
    """Mean shares of attention by what is looked at, as bars beside their names."""
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            marker_color=CALM,
            hovertemplate="%{y}: %{x:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(title="attention (share)", rangemode="tozero")
    figure.update_yaxes(title="class looked at", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def shares_by_distance(values: Sequence[float]) -> go.Figure:
    """Mean shares of attention to the character so many back, from 0, as bars."""
    figure = go.Figure(
        go.Bar(
            x=list(range(len(values))),
            y=list(values),
            marker_color=CALM,
            hovertemplate="%{x} back: %{y:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(title="characters back")
    figure.update_yaxes(title="attention (share)", rangemode="tozero")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def distribution(
    before: np.ndarray,
    after: np.ndarray,
    labels: Sequence[str],
    taken: int | None = None,
    changed: str = "with the sliders",
) -> go.Figure:
    """Probabilities (V,) of the next character: the model's own, and what they are changed to.

    Likeliest first; `taken` is the id of the character that stands there, in a colour of its own.
    """
    order = np.argsort(-before, kind="stable")
    names = [labels[i] for i in order]
    ranks = list(range(1, len(order) + 1))
    hover = "%{customdata} %{y:.3g}<extra>%{fullData.name}</extra>"
    figure = go.Figure()
    is_taken = order == taken
    for name, colour, shown in ((changed, CALM, ~is_taken), ("the text's own", VIVID, is_taken)):
        if shown.any():
            figure.add_bar(
                x=np.array(ranks)[shown],
                y=after[order][shown],
                customdata=np.array(names)[shown],
                name=name,
                marker_color=colour,
                hovertemplate=hover,
            )
    figure.add_scatter(
        x=ranks,
        y=before[order],
        customdata=names,
        name="the model's own",
        mode="markers",
        marker={"symbol": "line-ew", "size": 9, "line": {"width": 2, "color": GREY}},
        hovertemplate=hover,
    )
    # In two rows, so that a phone has room for them all.
    every = -(-len(names) // (2 * _MOST_ACROSS))
    figure.update_xaxes(
        title="character, likeliest first",
        tickvals=ranks[::every],
        ticktext=["<br>" * (i % 2) + name for i, name in enumerate(names[::every])],
        tickangle=0,
        tickfont={"family": "monospace", "size": 10},
    )
    figure.update_yaxes(title="probability", rangemode="tozero")
    figure.update_layout(
        margin=MARGIN,
        dragmode=False,
        barmode="overlay",
        bargap=0.25,
        legend={"orientation": "h", "y": 1, "x": 1, "xanchor": "right", "yanchor": "top"},
    )
    return figure


def loss_by_context(
    lengths: Sequence[int], loss: np.ndarray, baselines: dict[str, float]
) -> go.Figure:
    """Mean loss (lengths,) in nats over how many characters were seen, with reference lines."""
    figure = go.Figure(
        go.Scatter(
            x=list(lengths),
            y=loss,
            mode="lines+markers",
            line={"color": CALM},
            hovertemplate="%{x} characters seen: %{y:.3f} nats<extra></extra>",
        )
    )
    # Two that lie close together are named at either end.
    for i, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: item[1])):
        figure.add_hline(
            y=value,
            line={"color": GREY, "dash": "dot", "width": 1},
            annotation={"text": f"{name}, {value:.2f}", "font": {"color": GREY, "size": 11}},
            annotation_position=f"top {('right', 'left')[i % 2]}",
        )
    figure.update_xaxes(
        title="characters seen before each", type="log", tickvals=list(lengths), ticktext=lengths
    )
    figure.update_yaxes(title="loss (nats per character)", rangemode="tozero")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def probability_by_context(lengths: Sequence[int], surprise: np.ndarray, text: str) -> go.Figure:
    """The probability of each character of a text, by how many before it were seen.

    surprise: (lengths, characters), -log p in nats.
    """
    labels = visible(text)
    figure = go.Figure(
        go.Heatmap(
            z=np.exp(-surprise),
            x=list(range(len(text))),
            y=[str(n) for n in lengths],
            customdata=np.broadcast_to(np.array(labels), surprise.shape),
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            colorbar={"title": {"text": "probability", "side": "right"}, "thickness": 10},
            hovertemplate="%{customdata} after %{y} characters: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="the text's last characters",
        tickvals=list(range(len(text))),
        ticktext=labels,
        tickangle=0,
        tickfont={"family": "monospace", "size": 10},
    )
    figure.update_yaxes(title="characters seen", type="category", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def context_table(lengths: Sequence[int], surprise: np.ndarray, text: str) -> pd.DataFrame:
    """A row a character, a column of probabilities a length of context."""
    columns = {
        f"after {n}": np.exp(-row).round(6) for n, row in zip(lengths, surprise, strict=True)
    }
    return pd.DataFrame({"character": visible(text), **columns})

// The most columns of a row of attention in a layer that is closed, and in the open one.
const SMALL_COLUMNS = 40, ROW_COLUMNS = 192;
const MANY_LAYERS = 8; // more layers are drawn narrower

// [red, green, blue, opacity] of the attention to a character, from 0 to 255, where 255 is the largest
// weight of its row. The low end is nearly transparent, so that the text is readable in light and
// dark.
const attentionColour = (palette, shade) => [...palette[shade], Math.min(1, (1.7 * shade) / 255)];

// The attention of a head to each character up to the position, from 0 to 255.
const attentionShades = (data, layer, head) => {
  const size = data.at + 1;
  return bytes(data.blocks[layer].shades).subarray(head * size, (head + 1) * size);
};

const unpackFloats = (packed) => new Float32Array(bytes(packed).buffer);

// The stages of the picture, in root: the character, the layers, one of which may be open, and the
// next character, whose panel is `end`. point(kind, index, head, layer) is called for the number that
// is pointed at. actions: openBlock(layer), chooseHead(head, focus), previewHead(head).
const modelStages = (root, end, point, actions) => {
  let data = null, grids = {}, shownHead = 0;
  const colourOf = (shade) => attentionColour(data.palette, shade);

  // A grid of numbers with a label. head: if it is not the one that is shown.
  function labelled(name, label, kind, values, { ratio = 1.5, columns, colour, note, head } = {}) {
    const node = element("div", `vector ${name}`);
    const made = numberGrid((index) => point(kind, index, head));
    made.show(label, values, columns ?? gridColumns(values.length, ratio), colour ?? signedColours(values));
    grids[name] = { grid: made, kind, head };
    node.append(element("span", "label", label), made.root);
    if (note) node.append(element("span", "note", note));
    return node;
  }

  const stage = (className, heading, above, slot, below) => {
    const node = element("section", `stage ${className}`);
    const [top, middle, bottom] = ["above", "slot", "below"].map((name) => element("div", name));
    top.append(...above);
    middle.append(...slot);
    bottom.append(...below);
    node.append(heading, top, middle, bottom);
    return node;
  };
  const share = (part, kind, index, layer, label) => {
    const node = button("share", percentText(part.share), `${label}: share ${percentText(part.share)}, length ${numberText(part.length)}`, () => {});
    node.classList.add(kind === "mlp_share" ? "of-mlp" : "of-attention");
    node.onpointerenter = node.onfocus = node.onclick = (event) => {
      event.stopPropagation();
      point(kind, index, 0, layer);
    };
    return node;
  };
  const lengthLabel = (index, value) => {
    const node = button("length", numberText(value).replace(/\.(\d)\d+$/, ".$1"), `Length of the stream: ${numberText(value)}`, () => {});
    node.onpointerenter = node.onfocus = node.onclick = () => point("length", index, 0, 0);
    return node;
  };

  function write(fresh, head) {
    [data, shownHead] = [fresh, head];
    grids = {};
    const focused = root.getRootNode().activeElement?.dataset?.block;
    const blocks = data.blocks.map((block, layer) =>
      layer === data.open ? openedBlock(block, layer) : closedBlock(block, layer));
    root.replaceChildren(inputStage(), ...blocks, outputStage());
    const opened = data.open === null ? 0 : 1;
    root.parentElement.style.setProperty("--closed", data.blocks.length - opened);
    root.parentElement.style.setProperty("--opened", opened);
    root.parentElement.classList.toggle("many", data.blocks.length > MANY_LAYERS);
    root.style.gridTemplateColumns = [
      "var(--in)",
      ...data.blocks.map((_, i) => (i === data.open ? "minmax(var(--open), 1fr)" : "minmax(var(--shut), var(--shut-most))")),
      "var(--out)",
    ].join(" ");
    if (focused !== undefined) root.querySelector(`[data-block="${focused}"]`)?.focus();
  }

  function inputStage() {
    const { embedding } = data, label = data.labels[data.at];
    const tile = element("div", "tile");
    tile.append(element("span", "tile-sign", label), element("span", "label", `id ${data.token}`));
    const heading = element("h4", "stage-name", "Character");
    return stage(
      "input", heading,
      [tile, vector("token", "its embedding", embedding.token)],
      [labelled("embedding", "sum", "embedding", unpackFloats(embedding.sum))],
      [vector("place", "embedding of the position", embedding.place), element("div", "label", `position ${data.at + 1}`)],
    );
  }

  // A vector of weights, which no computation made. Pointing at it explains the sum.
  function vector(name, label, values) {
    const shown = unpackFloats(values), node = element("div", `vector ${name}`);
    const made = numberGrid((index) => point("embedding", index));
    made.show(label, shown, gridColumns(shown.length, 1.5), signedColours(shown));
    grids[name] = { grid: made, kind: "embedding" };
    node.append(element("span", "label", label), made.root);
    return node;
  }

  const adds = (parts) => parts.filter((part) => part.name !== "stream");
  const sumOf = (parts) => parts.reduce((sum, part) => sum + part.share, 0);

  function closedBlock(block, layer) {
    const heading = button("stage-name opener", String(layer + 1), "", () => actions.openBlock(layer));
    const attended = { share: sumOf(adds(block.attention)), length: block.lengths[0] };
    const mlp = block.mlp.findIndex((part) => part.name === "mlp");
    heading.setAttribute("aria-expanded", "false");
    heading.dataset.block = layer;
    const words =
      `Layer ${layer + 1}: the attention adds ${percentText(attended.share)} of the stream, the MLP ` +
      `${percentText(block.mlp[mlp].share)}; ${block.active} of ${data.neurons} neurons are active`;
    heading.setAttribute("aria-label", `Open ${words}`);
    heading.title = words;
    const rows = Array.from({ length: data.heads }, (_, head) => {
      const canvas = element("canvas", "cells small-row");
      const shades = largestOfGroups(attentionShades(data, layer, head), SMALL_COLUMNS);
      drawCells(canvas, shades, shades.length, colourOf);
      return canvas;
    });
    const meter = element("div", "meter"), fill = element("span", "meter-fill");
    fill.style.height = `${(100 * block.active) / data.neurons}%`;
    meter.append(fill);
    const maps = element("div", "small-rows");
    maps.append(...rows);
    const node = stage(
      "closed", heading,
      [maps, share(attended, "attended_share", 0, layer, "The attention")],
      [lengthLabel(2 * layer + 2, block.lengths[2])],
      [share(block.mlp[mlp], "mlp_share", mlp, layer, "The MLP"), meter,
        element("span", "label", `${block.active} active`)],
    );
    node.onclick = (event) => event.target.closest("button") || actions.openBlock(layer);
    return node;
  }

  function openedBlock(block, layer) {
    const opened = Object.fromEntries(
      Object.entries(data.opened).map(([name, values]) => [name, unpackFloats(values)]),
    );
    const heading = button("stage-name opener", `Layer ${layer + 1}`, `Close layer ${layer + 1}`, () => actions.openBlock(-1));
    heading.setAttribute("aria-expanded", "true");
    heading.dataset.block = layer;
    const first = data.residual ? 1 : 0;
    const isHead = (part) => part.name === "head";
    const heads = element("div", "heads");
    heads.setAttribute("role", "radiogroup");
    heads.setAttribute("aria-label", "Head");
    const rows = block.attention.filter(isHead).map((part, head) => {
      const row = element("div", "head-row");
      const radio = button("head-name", `H${head + 1}`, `Head ${head + 1}`, () => actions.chooseHead(head));
      radio.setAttribute("role", "radio");
      const grid = numberGrid((index) => {
        actions.previewHead(head);
        point("weight", index, head);
      });
      const shades = attentionShades(data, layer, head);
      const drawn = largestOfGroups(shades, ROW_COLUMNS);
      grid.show(`Attention of head ${head + 1}`, shades, shades.length, colourOf, drawn);
      grids[`weight${head}`] = { grid, kind: "weight", head };
      row.onclick = () => actions.chooseHead(head);
      row.append(radio, grid.root, share(part, "attention_share", first + head, layer, `Head ${head + 1}`));
      return row;
    });
    heads.append(...rows);
    setRovingTabindex(rows.map((row) => row.firstChild), shownHead, "aria-checked");
    rows[shownHead].classList.add("chosen");
    heads.onkeydown = (event) => {
      const by = event.target.classList.contains("head-name") && { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      actions.chooseHead((shownHead + by + data.heads) % data.heads, true);
    };
    const size = data.channels / data.heads, keys = data.at + 1;
    const ofHead = (values, width) => values.subarray(shownHead * width, (shownHead + 1) * width);
    const norm = (name, label) => data.norms.blocks
      ? [labelled(name, label, name, opened[name])]
      : [];
    const columns = gridColumns(size, 4);
    const parts = element("div", "parts");
    parts.append(
      ...norm("norm_attention", "LayerNorm"),
      labelled("query", `query H${shownHead + 1}`, "query", ofHead(opened.query, size), { columns }),
      labelled("score", "scores", "score", ofHead(opened.score, keys), { columns: keys }),
      labelled("mixed", "values", "mixed", ofHead(opened.mixed, size), { columns }),
      labelled("attended", "adds", "attended", opened.attended),
    );
    const active = `${block.active} of ${data.neurons} active`;
    const limit = colourLimit(opened.neuron);
    const firing = (value) => [...ABOVE_0, Math.min(1, value / limit)];
    const mlp = block.mlp.findIndex((part) => part.name === "mlp");
    const node = stage(
      "opened", heading,
      [heads, parts],
      [labelled("middle", "stream", "middle", opened.middle), labelled("after", "stream", "after", opened.after)],
      [...norm("norm_mlp", "LayerNorm"),
        labelled("neuron", `MLP neurons: ${active}`, "neuron", opened.neuron, { ratio: 3, colour: firing }),
        labelled("computed", "adds", "computed", opened.computed)],
    );
    node.querySelector(".computed").append(share(block.mlp[mlp], "mlp_share", mlp, layer, "The MLP"));
    return node;
  }

  function outputStage() {
    const heading = element("h4", "stage-name", "Next character");
    const node = element("section", "stage output");
    const slot = element("div", "slot");
    if (data.norms.final) slot.append(labelled("norm_final", "final LayerNorm", "norm_final", unpackFloats(data.final)));
    const rest = element("div", "rest");
    rest.append(end);
    node.append(heading, slot, rest);
    return node;
  }

  // Mark a number, in each grid that shows it.
  function mark(number) {
    for (const { grid, kind, head, layer } of Object.values(grids)) {
      const isHere = kind === number.kind && (layer ?? number.layer) === number.layer &&
        (head ?? number.head) === number.head;
      grid.mark(isHere ? number.index : null);
    }
  }

  return { write, mark };
};

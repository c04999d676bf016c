// The neurons of a layer. On one side, a list of those that were found; a row chooses its neuron. On
// the other, the text, shaded by the activation of the chosen neuron. The line above the text names
// the character under the pointer, or the one that a click, a tap or the arrow keys chose, with its
// activation. A second click, or Escape, releases it.
export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.choose = (neuron) => setTriggerValue("neuron", neuron);
  view.show(data);
}

function build(parentElement) {
  const root = element("div", "neurons");
  const side = element("div", "side"), main = element("div", "main");
  const title = element("div", "title");
  title.append(...["fires on", "neuron", "score"].map((each) => element("span", "", each)));
  const list = element("div", "list");
  list.setAttribute("role", "radiogroup");
  list.setAttribute("aria-label", "The best neuron for each kind of character");
  const legend = element("div", "legend"), summary = element("div", "summary");
  summary.setAttribute("aria-live", "polite");
  const text = element("div", "text");
  text.tabIndex = 0;
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", "The text; arrow keys move from character to character");
  const heading = element("div", "heading"), passages = element("ol", "passages");
  side.append(title, list);
  main.append(legend, summary, text, heading, passages);
  root.append(side, main);
  parentElement.append(root);

  let data = null, colours = [], cells = [], pressed = -1;

  function show(fresh) {
    const same = data && data.text.labels.join("\0") === fresh.text.labels.join("\0");
    data = fresh;
    // The low end is nearly transparent, so that the text is readable in light and dark.
    colours = data.palette.map((rgb, level) => cssColour(rgb, Math.min(1, (1.7 * level) / 255)));
    if (!same) {
      cells = cellsOf(data.text.labels);
      text.replaceChildren(...paragraphs(data.text.labels, cells, data.text.lines));
    }
    shade(cells, data.text.values);
    const ramp = element("span", "ramp");
    const stops = [0, 64, 128, 191, 255].map((level) => colours[level]).join(",");
    ramp.style.background = `linear-gradient(to right, ${stops})`;
    const [name, low, high] = ["activation", "0", data.peak.toFixed(2)];
    legend.replaceChildren(name, " ", low, ramp, high);
    drawList();
    heading.textContent = data.heading;
    heading.hidden = !data.passages.length;
    passages.replaceChildren(...data.passages.map(passageNode));
    choose(!same);
  }

  const cellsOf = (labels) =>
    labels.map((label, i) => {
      const cell = element("span", "cell", label);
      cell.dataset.at = i;
      return cell;
    });

  function shade(nodes, values) {
    nodes.forEach((node, i) => {
      const level = data.peak ? Math.round((255 * values[i]) / data.peak) : 0;
      node.style.background = level ? colours[level] : "";
      node.style.color = level < 128 ? "" : "#111"; // the upper half of the scale is light
    });
  }

  function drawList() {
    const hadFocus = list.contains(list.getRootNode().activeElement);
    const nodes = data.rows.map(rowNode);
    // Several kinds may have the same neuron.
    const first = data.rows.findIndex((row) => row.neuron === data.chosen);
    const chosen = data.rows[pressed]?.neuron === data.chosen ? pressed : first;
    list.replaceChildren(...nodes);
    setRovingTabindex(nodes, chosen, "aria-checked");
    const reached = nodes[Math.max(0, chosen)];
    if (!reached) return;
    reached.tabIndex = 0;
    if (hadFocus) reached.focus();
  }

  function rowNode(row, i) {
    const [score, chance] = [row.score.toFixed(2), row.chance.toFixed(2)];
    const number = row.neuron + 1;
    const label = `${row.name}: neuron ${number}, score ${score}, by chance ${chance}`;
    const node = button("row", "", label, () => {
      pressed = i;
      view.choose(row.neuron);
    });
    node.setAttribute("role", "radio");
    // The bar starts at 0.5, the score of a neuron that has nothing to do with the kind.
    const width = (value) => `${200 * clamp(value - 0.5, 0, 0.5)}%`;
    const bar = element("span", "bar"), fill = element("span", "fill");
    const mark = element("span", "chance");
    fill.style.width = width(row.score);
    mark.style.left = width(row.chance);
    bar.append(fill, mark);
    const parts = [["name", row.name], ["number", number]];
    node.append(...parts.map((part) => element("span", ...part)), bar, element("span", "", score));
    return node;
  }

  function passageNode(passage) {
    const item = element("li", "passage"), line = element("div", "line");
    const marks = cellsOf(passage.labels);
    shade(marks, passage.values);
    marks[passage.at].classList.add("peak");
    line.append(...paragraphs(passage.labels, marks, []));
    item.title = `Character ${passage.start + passage.at + 1} of that text`;
    item.append(element("span", "value", passage.values[passage.at].toFixed(2)), line);
    return item;
  }

  const choose = characterChoice(text, () => cells, () => data.text.at, (at, pinned) => {
    cells.forEach((cell, i) => {
      cell.classList.toggle("at", i === at);
      cell.classList.toggle("pinned", i === pinned);
    });
    const value = data.text.values[at], state = pinned === at ? ", selected" : "";
    const says = value ? `activation ${value.toFixed(2)}` : "silent";
    summary.textContent = `${positionName(data.text.labels, at)}${state}: ${says}`;
  });

  list.onkeydown = (event) => {
    const step = arrow(event, true);
    if (!step) return;
    event.preventDefault();
    const rows = [...list.children];
    const next = rows.indexOf(event.target.closest(".row")) + step;
    rows[clamp(next, 0, rows.length - 1)].focus();
  };

  const view = { root, show };
  return view;
}

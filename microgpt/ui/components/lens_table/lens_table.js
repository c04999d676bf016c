// A table with a row for each point of the model and a column for each position of a text. A cell
// shows the likeliest next character at this point, on the colour of its probability or of its
// divergence from the final prediction. Pointing and the arrow keys show the numbers of a cell; a
// click, a tap or Enter chooses it.
const PROBABILITY = "probability", DIVERGENCE = "divergence";
const MAX_NATS = 4; // larger divergences have the colour of this one
const COLOURS = [["Probability", PROBABILITY], ["Divergence", DIVERGENCE]];
// The ends of the scale. Bright cells are close to the final prediction.
const ENDS = { [PROBABILITY]: ["0", "1"], [DIVERGENCE]: [`${MAX_NATS}+ nats`, "0"] };

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.pick = (row, at) => setTriggerValue("picked", [row, at]);
  view.show(data);
}

function build(parentElement) {
  const root = element("div", "lens");
  const bar = element("div", "bar");
  const colours = radios("Colour by", "choice", COLOURS, (name) => {
    colour = name;
    paint();
  });
  const legend = element("div", "legend");
  legend.append(element("span", ""), element("span", "ramp"), element("span", ""));
  const readout = element("div", "readout");
  readout.setAttribute("aria-live", "polite");
  bar.append(colours.root, legend, readout);
  const scroll = element("div", "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute(
    "aria-label",
    "The likeliest character at each point; arrow keys move, Enter chooses",
  );
  const table = element("table", "");
  scroll.append(table);
  root.append(bar, scroll);
  parentElement.appendChild(root);

  let data = null, cells = null, nodes = [], heads = [], feet = [], chosen = [];
  let colour = PROBABILITY, row = 0, at = 0, shownAt = null;
  const T = () => data.text.length;
  const cell = (r, t) => cells.subarray(3 * (r * T() + t), 3 * (r * T() + t) + 3);

  function show(fresh) {
    const content = ({ text, rows, cells: packed, characters }) =>
      [text, rows, packed, characters].join("\0");
    const same = data && content(data) === content(fresh);
    data = fresh;
    if (!same) {
      cells = new Uint16Array(bytes(data.cells).buffer);
      draw();
      paint();
    }
    chosen.forEach((node) => node.classList.remove("chosen"));
    chosen = [heads[data.at], nodes[data.row][data.at], feet[data.at]];
    chosen.forEach((node) => node.classList.add("chosen"));
    move(data.row, data.at);
    if (!same || shownAt !== data.at) bringIntoView(data.at);
    shownAt = data.at;
  }

  function draw() {
    const line = (name, label, fill) => {
      const tr = element("tr", name), title = element("th", "name", label);
      title.scope = "row";
      const all = data.text.map((_, t) => fill(t));
      tr.append(title, ...all);
      return [tr, all];
    };
    const head = line("reads", "reads", (t) => element("th", "", data.text[t]));
    const body = data.rows.map((name, r) =>
      line("", name, (t) => {
        const node = element("td", "", data.characters[cell(r, t)[0]]);
        node.dataset.row = r;
        node.dataset.at = t;
        return node;
      }),
    );
    const foot = line("next", "next", (t) => element("td", "", data.text[t + 1] ?? "?"));
    [heads, feet] = [head[1], foot[1]];
    nodes = body.map(([, all]) => all);
    table.replaceChildren(...[head, ...body, foot].map(([tr]) => tr));
  }

  function paint() {
    colours.show(colour);
    const [low, high] = ENDS[colour];
    legend.firstChild.textContent = low;
    legend.lastChild.textContent = high;
    const stops = [0, 64, 128, 191, 255].map((level) => cssColour(data.palette[level])).join(",");
    legend.children[1].style.background = `linear-gradient(to right, ${stops})`;
    nodes.forEach((line, r) =>
      line.forEach((node, t) => {
        const [, probability, steps] = cell(r, t);
        const share =
          colour === PROBABILITY ? probability / 65535 : 1 - Math.min(1, steps / 1000 / MAX_NATS);
        const rgb = data.palette[Math.round(255 * share)];
        node.style.background = cssColour(rgb);
        node.style.color = ink(rgb);
      }),
    );
  }

  // Show the numbers of a cell.
  function move(r, t) {
    nodes[row]?.[at]?.classList.remove("at");
    [row, at] = [r, t];
    nodes[r][t].classList.add("at");
    const [id, probability, steps] = cell(r, t);
    const likeliest = `“${isolated(data.characters[id])}” with ${(probability / 65535).toFixed(2)}`;
    readout.textContent =
      `${data.rows[r]}, after ${positionName(data.text, t)}: ${likeliest}, ` +
      `${(steps / 1000).toFixed(2)} nats from the final prediction`;
  }

  function bringIntoView(t) {
    const { offsetLeft, offsetWidth } = nodes[0][t];
    const left = offsetLeft - heads[0].offsetLeft;
    const space = scroll.clientWidth - heads[0].offsetLeft;
    const visible = left >= scroll.scrollLeft && left + offsetWidth <= scroll.scrollLeft + space;
    if (!visible) scroll.scrollLeft = left - space / 2;
  }

  const place = (event) => {
    const { row, at } = event.target.closest?.("[data-row]")?.dataset ?? {};
    return row === undefined ? null : [Number(row), Number(at)];
  };
  table.onpointerover = (event) => place(event) && move(...place(event));
  table.onpointerleave = () => move(data.row, data.at);
  table.onclick = (event) => place(event) && view.pick(...place(event));
  scroll.onkeydown = (event) => {
    const across = arrow(event), down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Enter") view.pick(row, at);
    if (!across && !down) return;
    event.preventDefault();
    move(
      clamp(row + (down ?? 0), 0, data.rows.length - 1),
      clamp(at + (across ?? 0), 0, T() - 1),
    );
    bringIntoView(at);
  };

  const view = { root, show };
  return view;
}

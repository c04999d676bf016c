// A text, shaded by what one of its characters attends to: the one under the pointer, or the one
// that a click or a tap pinned. A second click, or Escape, releases it. The arrow keys move. The
// stripes below each character show the weights of all maps.
const MAX_LISTED = 5;

export default function ({ data, parentElement }) {
  viewOf(parentElement, build).show(data);
}

function build(parentElement) {
  const root = element("div", "strip");
  const bar = element("div", "bar");
  const directions = [["attends to", true], ["is attended to by", false]];
  const directionRadios = radios("Direction", "direction", directions, (value) => {
    backwards = value;
    paint();
  });
  const summary = element("div", "summary");
  summary.setAttribute("aria-live", "polite");
  const text = element("div", "text");
  text.tabIndex = 0;
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", "The text; arrow keys move from character to character");
  const legend = element("div", "legend");
  bar.append(directionRadios.root, legend);
  root.append(bar, summary, text);
  parentElement.appendChild(root);

  let data = null, shades = null, weights = null, T = 0, cells = [], colours = [];
  let backwards = true, pinned = null, at = 0;

  // The index, in the lower triangle of a map, of the weight between the chosen character and another
  // one; null if it is masked.
  const cellWith = (other) => {
    const [query, key] = backwards ? [at, other] : [other, at];
    return key > query ? null : (query * (query + 1)) / 2 + key;
  };

  function show(fresh) {
    const same = data && data.labels.join("\0") === fresh.labels.join("\0");
    data = fresh;
    shades = bytes(data.shades);
    weights = new Uint16Array(bytes(data.weights).buffer);
    T = data.labels.length;
    // The low end is nearly transparent, so that the text is readable in light and dark.
    colours = data.palette.map((rgb, level) => cssColour(rgb, Math.min(1, (1.7 * level) / 255)));
    if (!same) {
      pinned = null;
      cells = data.labels.map((label, i) => {
        const cell = element("span", "cell");
        cell.dataset.at = i;
        cell.append(element("span", "sign", label), element("span", "stripes"));
        return cell;
      });
      text.replaceChildren(...paragraphs(data.labels, cells, data.lines));
    }
    const ramp = element("span", "ramp");
    const stops = [0, 64, 128, 191, 255].map((shade) => colours[shade]).join(",");
    ramp.style.background = `linear-gradient(to right, ${stops})`;
    const [title, low, high] = data.scale.map((part) => element("span", "", part));
    legend.replaceChildren(title, low, ramp, high);
    for (const cell of cells) cell.lastChild.style.height = `${4 * data.names.length}px`;
    legend.title = `Under each character, from top to bottom: ${data.names.join(", ")}`;
    at = pinned ?? T - 1;
    paint();
  }

  function paint() {
    directionRadios.show(backwards);
    const triangle = (T * (T + 1)) / 2;
    cells.forEach((cell, i) => {
      const index = cellWith(i), [sign, stripes] = cell.children;
      const all = data.names.map((_, map) => (index === null ? 0 : shades[map * triangle + index]));
      const shade = all[data.chosen];
      sign.style.background = shade ? colours[shade] : "";
      // On the upper half of the scale, which is light, the text is dark.
      sign.style.color = shade < 128 ? "" : "#111";
      cell.classList.toggle("query", i === at);
      cell.classList.toggle("pinned", i === pinned);
      cell.classList.toggle("masked", backwards ? i > at : i < at);
      const stops = all.map((each, j) => `${colours[each]} 0 ${4 * (j + 1)}px`);
      // Half of the cells have no weight. Without stripes they are drawn faster.
      stripes.style.background = all.some(Boolean) ? `linear-gradient(${stops.join(",")})` : "";
    });
    const listed = cells
      .map((_, i) => [(weights[cellWith(i)] ?? 0) / 65535, i])
      .filter(([weight]) => weight >= 0.005) // smaller weights would be shown as 0.00
      .sort((a, b) => b[0] - a[0])
      .slice(0, MAX_LISTED)
      .map(([weight, i]) => `${positionName(data.labels, i)}: ${weight.toFixed(2)}`);
    const verb = backwards ? "attends to" : "is attended to by";
    const state = pinned === at ? ", selected," : "";
    const name = positionName(data.labels, at);
    summary.textContent = `${name}${state} ${verb} ${listed.join(" · ") || "nothing"}`;
  }

  function move(i) {
    at = i;
    paint();
  }

  function pin(i) {
    pinned = i;
    move(i ?? T - 1);
  }

  text.onpointerover = (event) => {
    if (pinned === null && positionUnder(event) !== null) move(positionUnder(event));
  };
  text.onpointerleave = () => {
    if (pinned === null) move(T - 1);
  };
  text.onclick = (event) => {
    const i = positionUnder(event);
    if (i !== null) pin(i === pinned ? null : i);
  };
  text.onkeydown = (event) => {
    const step = textArrow(event, cells[at]);
    if (step) {
      event.preventDefault();
      pinned = clamp(at + step, 0, T - 1);
      move(pinned);
    } else if (event.key === "Enter") {
      pin(at);
    } else if (event.key === "Escape") {
      pin(null);
    }
  };

  return { root, show };
}

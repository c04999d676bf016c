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
  const directionRadios = radios("Direction", "choice", directions, (value) => {
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

  // The index, in the lower triangle of a map, of the weight between the chosen character and
  // another one; null if it is masked.
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
    colours = data.palette.map((rgb) => ({ ground: cssColour(rgb), ink: ink(rgb) }));
    if (!same) {
      cells = data.labels.map((label, i) => {
        const cell = element("span", "cell");
        cell.dataset.at = i;
        cell.append(element("span", "sign", label), element("span", "stripes"));
        return cell;
      });
      text.replaceChildren(...paragraphs(data.labels, cells, data.lines));
    }
    const ramp = element("span", "ramp");
    const stops = [0, 64, 128, 191, 255].map((shade) => colours[shade].ground).join(",");
    ramp.style.background = `linear-gradient(to right, ${stops})`;
    const [title, low, high] = data.scale.map((part) => element("span", "", part));
    legend.replaceChildren(title, low, ramp, high);
    for (const cell of cells) cell.lastChild.style.height = `${4 * data.names.length}px`;
    legend.title = `Under each character, from top to bottom: ${data.names.join(", ")}`;
    choose(!same);
  }

  function paint() {
    directionRadios.show(backwards);
    const triangle = (T * (T + 1)) / 2;
    cells.forEach((cell, i) => {
      const index = cellWith(i), [sign, stripes] = cell.children;
      // Masked cells are blank.
      const all = index === null ? [] : data.names.map((_, map) => colours[shades[map * triangle + index]]);
      sign.style.background = all[data.chosen]?.ground ?? "";
      sign.style.color = all[data.chosen]?.ink ?? "";
      cell.classList.toggle("query", i === at);
      cell.classList.toggle("pinned", i === pinned);
      cell.classList.toggle("masked", index === null);
      const stops = all.map((each, j) => `${each.ground} 0 ${4 * (j + 1)}px`);
      stripes.style.background = all.length ? `linear-gradient(${stops.join(",")})` : "";
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

  const choose = characterChoice(text, () => cells, () => T - 1, (position, isPinned) => {
    [at, pinned] = [position, isPinned];
    paint();
  });

  return { root, show };
}

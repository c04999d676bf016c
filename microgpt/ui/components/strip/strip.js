// A text, shaded by what one of its characters attends to. Hover or a tap chooses the character, a
// click pins it, Escape or a second click releases it, arrow keys move. The stripes below each
// character show the weights of all maps.
const MOST_LISTED = 5;

export default function ({ data, parentElement }) {
  viewOf(parentElement, build).show(data);
}

function build(parentElement) {
  const root = make("div", "strip");
  const bar = make("div", "bar");
  const ways = [["attends to", true], ["is attended to by", false]];
  const wayRadios = radios("Direction", "way", ways, (value) => {
    backwards = value;
    paint();
  });
  const says = make("div", "says");
  says.setAttribute("aria-live", "polite");
  const text = make("div", "text");
  text.tabIndex = 0;
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", "The text; arrow keys move from character to character");
  const legend = make("div", "legend");
  bar.append(wayRadios.root, legend);
  root.append(bar, says, text);
  parentElement.appendChild(root);

  let data = null, maps = null, T = 0, cells = [], colours = [];
  let backwards = true, pinned = null, at = 0;

  const triangle = () => (T * (T + 1)) / 2;
  const weight = (map, query, key) =>
    key > query ? 0 : maps[map * triangle() + (query * (query + 1)) / 2 + key];
  const share = (map, other) => (backwards ? weight(map, at, other) : weight(map, other, at));
  const colour = (level, most) => colours[Math.round((255 * level) / most)];

  function show(fresh) {
    const same = data && data.labels.join("\0") === fresh.labels.join("\0");
    data = fresh;
    maps = bytes(data.maps);
    T = data.labels.length;
    // Small weights are nearly transparent, so that the text is readable in light and dark.
    colours = data.palette.map((rgb, level) => css(rgb, Math.min(1, (1.7 * level) / 255)));
    if (!same) {
      pinned = null;
      cells = data.labels.map((label, i) => {
        const cell = make("span", "cell");
        cell.dataset.at = i;
        cell.append(make("span", "sign", label), make("span", "bands"));
        return cell;
      });
      const lines = new Set(data.lines);
      text.replaceChildren(
        ...cells.flatMap((cell, i) => (lines.has(i) ? [cell, make("br", "")] : [cell])),
      );
    }
    const stops = [0, 64, 128, 191, 255].map((level) => colour(level, 255)).join(",");
    const ramp = make("span", "ramp"), scale = make("span", "scale");
    ramp.style.background = `linear-gradient(to right, ${stops})`;
    legend.replaceChildren(make("span", "", "0"), ramp, scale);
    for (const cell of cells) cell.lastChild.style.height = `${4 * data.names.length}px`;
    legend.title = `Under each character, from top to bottom: ${data.names.join(", ")}`;
    at = pinned ?? T - 1;
    paint();
  }

  function paint() {
    wayRadios.show(backwards);
    const rows = cells.map((_, i) => data.names.map((_, map) => share(map, i)));
    const shares = rows.map((row) => row[data.chosen]);
    const most = Math.max(1, ...shares), mostOfAll = Math.max(1, ...rows.flat());
    const shown = (level) => (level / 255).toFixed(2);
    legend.querySelector(".scale").textContent =
      `${shown(most)} in the text, ${shown(mostOfAll)} in the stripes`;
    cells.forEach((cell, i) => {
      const level = shares[i], [sign, bands] = cell.children;
      sign.style.background = level ? colour(level, most) : "";
      // The lower half of the scale is nearly transparent, the upper half is light.
      sign.style.color = level / most < 0.5 ? "" : "#111";
      cell.classList.toggle("query", i === at);
      cell.classList.toggle("pinned", i === pinned);
      cell.classList.toggle("blind", backwards ? i > at : i < at);
      const stripes = rows[i].map((each, j) => `${colour(each, mostOfAll)} 0 ${4 * (j + 1)}px`);
      // Half of the cells have no weight; leaving out their stripes saves drawing time.
      bands.style.background = rows[i].some(Boolean) ? `linear-gradient(${stripes.join(",")})` : "";
    });
    const listed = shares
      .map((level, i) => [level, i])
      .filter(([level]) => level > 1) // smaller weights would be shown as 0.00
      .sort((a, b) => b[0] - a[0])
      .slice(0, MOST_LISTED)
      .map(([level, i]) => `${named(data.labels, i)}: ${shown(level)}`);
    const verb = backwards ? "attends to" : "is attended to by";
    const state = pinned === at ? ", pinned," : "";
    says.textContent = `${named(data.labels, at)}${state} ${verb} ${listed.join(" · ") || "nothing"}`;
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
    if (pinned === null && under(event) !== null) move(under(event));
  };
  text.onpointerleave = () => {
    if (pinned === null) move(T - 1);
  };
  text.onclick = (event) => {
    const i = under(event);
    if (i !== null) pin(i === pinned ? null : i);
  };
  text.onkeydown = (event) => {
    const step = arrow(event);
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

// What each head attends to at each snapshot of a run: one small chart for each head.
const SVG_NAME = "http://www.w3.org/2000/svg";
// Safe for colour-blind readers (Okabe and Ito, 2008).
const COLOURS = ["#0072b2", "#56b4e9", "#8a8a8a", "#cc79a7", "#e69f00", "#d55e00", "#009e73", "#7a8b3c", "#9a5b9c"];

const svg = (name, attributes) => {
  const node = document.createElementNS(SVG_NAME, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};

export default function ({ data, parentElement }) {
  viewOf(parentElement, build).update(data);
}

function build(parentElement) {
  const root = element("div", "curves"), tiles = element("div", "heads"), below = element("div", "below");
  const save = element("button", "tool", "Save as SVG");
  let file = "";
  Object.assign(save, { type: "button", title: "Save this picture as an SVG file", onclick: () => savePicture(root, file) });
  below.append(element("span", "axis", "attention from 0 to 1, by step"), save);
  root.append(tiles, below);
  parentElement.append(root);

  function update({ steps, taken, names, about, heads, columns, file: newFile }) {
    file = newFile;
    tiles.style.setProperty("--columns", columns);
    const shown = heads.map(({ title, curves, best, strong }) => {
      const tile = element("figure", strong ? "tile strong" : "tile");
      const chart = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
      curves.forEach((curve, i) => {
        const points = curve.flatMap((score, at) => (score === null ? [] : [`${taken[at] / steps},${1 - score}`]));
        const line = svg("polyline", { points: points.join(" "), class: i === best ? "best" : "" });
        line.style.stroke = COLOURS[i % COLOURS.length];
        chart.append(line);
      });
      const score = best === null ? "" : `${names[best]} ${curves[best].at(-1).toFixed(2)}`;
      const says = best === null ? "nothing yet" : `${about[best]}: ${(100 * curves[best].at(-1)).toFixed(0)} % of its attention`;
      const label = element("figcaption", "label");
      const name = element("span", best === null ? "score" : "score curve-mark", score);
      if (best !== null) name.style.setProperty("--colour", COLOURS[best % COLOURS.length]);
      label.append(element("span", "title", title), name);
      tile.title = `${title} attends to ${says}`;
      tile.append(chart, label);
      return tile;
    });
    tiles.replaceChildren(...shown);
  }
  return { root, update };
}

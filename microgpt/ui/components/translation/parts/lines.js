// Lines from each character of the output to the characters of the input: the wider, the larger the
// attention weight. Small weights have a line only at `place`, the character that is pointed at.
// `written`: how many characters of the output are written so far.
const LINE_NS = "http://www.w3.org/2000/svg";
const FAINTEST = { chosen: 0.05, other: 0.15 }; // smaller weights have no line
const drawLines = (svg, cells, weights, place, written) => {
  const area = svg.getBoundingClientRect();
  const centre = (cell) => {
    const box = cell.getBoundingClientRect();
    return ((box.left + box.width / 2 - area.left) / area.width).toFixed(4);
  };
  const [from, to] = [cells.output.map(centre), cells.input.map(centre)];
  const paths = [];
  from.slice(0, written).forEach((x, i) => {
    to.forEach((end, j) => {
      const weight = weights[i * to.length + j] / 255;
      const isChosen = place?.at === (place?.text === "input" ? j : i);
      if (weight < (isChosen ? FAINTEST.chosen : FAINTEST.other)) return;
      const path = document.createElementNS(LINE_NS, "path");
      path.setAttribute("d", `M${x} 1C${x} 0.5 ${end} 0.5 ${end} 0`);
      path.setAttribute("class", isChosen ? "line chosen" : "line");
      path.style.strokeWidth = `${(1 + 5 * weight).toFixed(1)}px`;
      path.style.opacity = (place && !isChosen ? 0.15 * weight : 0.15 + 0.85 * weight).toFixed(2);
      paths.push([isChosen, path]);
    });
  });
  paths.sort(([a], [b]) => a - b); // the chosen lines are above the others
  svg.replaceChildren(...paths.map(([, path]) => path));
};

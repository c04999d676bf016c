// The sizes of the cells of a map: it fills the width of its panel. The decoder's map and that of the
// cross-attention have the same rows, which are at the same height if the maps are side by side.
const WIDEST = 24, LABELS = 20; // in pixels: a cell, and the labels beside a map
const LEAST_PITCH = 9; // labels closer than this would overlap
// The space that the number of a position needs, and the positions that may have one.
const NUMBER = { rows: 12, columns: 20 }, EVERY = [5, 10, 20, 50, 100];
const HEIGHT = 0.25; // the share of the window's height that a map may take
const sizeMaps = (panels, sizes, isRow) => {
  const most = isRow ? Math.max(160, HEIGHT * window.innerHeight) : Infinity;
  const widths = panels.map(({ root }, i) => Math.min(WIDEST, (root.clientWidth - LABELS) / sizes[i][1]));
  const height = (i) => Math.min(widths[i], most / sizes[i][0]);
  panels.forEach(({ grid }, i) => {
    const [w, h] = [widths[i], height(isRow ? Math.min(i, 1) : i)];
    grid.style.setProperty("--w", `${w}px`);
    grid.style.setProperty("--h", `${h}px`);
    grid.querySelector(".rows").classList.toggle("crowded", h < LEAST_PITCH);
    grid.querySelector(".columns").classList.toggle("crowded", w < 0.7 * LEAST_PITCH);
  });
};
// Where the characters would overlap, show the numbers of some positions instead. The character that is
// pointed at keeps its label, so a number has no place near it.
const numberLabels = ({ grid }) => {
  for (const [side, extent] of [["rows", "--h"], ["columns", "--w"]]) {
    const labels = grid.querySelector(`.${side}`), nodes = [...labels.children], space = NUMBER[side];
    const crowded = labels.classList.contains("crowded"), pitch = parseFloat(grid.style.getPropertyValue(extent));
    const every = EVERY.find((each) => each * pitch >= space) ?? Infinity;
    const query = nodes.findIndex((node) => node.classList.contains("query"));
    nodes.forEach((node, i) => {
      const isFree = query < 0 || Math.abs(i - query) * pitch >= space;
      const isNumber = crowded && (i + 1) % every === 0 && isFree;
      node.dataset.label ??= node.textContent;
      if (isNumber !== node.classList.contains("place")) node.textContent = isNumber ? i + 1 : node.dataset.label;
      node.classList.toggle("place", isNumber);
    });
  }
};

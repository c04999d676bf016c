// Offers one picture of all heads' maps to the grid that shows them, as a custom property of the
// whole document: it reaches into the grid's own shadow tree.
let shown = null;

export default function ({ data }) {
  const before = shown;
  shown = URL.createObjectURL(new Blob([data], { type: "image/png" }));
  document.documentElement.style.setProperty("--head-images", `url(${shown})`);
  if (before) URL.revokeObjectURL(before);
}

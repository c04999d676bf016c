// The characters of a text, the most frequent first, each above its count. A bar shows the split.
const count = (n) => n.toLocaleString("en");
const compact = (n) => n.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });

export default function ({ data, parentElement }) {
  viewOf(parentElement, build).update(data);
}

function build(parentElement) {
  const root = element("div", "vocabulary");
  parentElement.append(root);

  function update({ train, val, labels, counts, more, size }) {
    const split = element("div", "split");
    for (const [name, part] of [["training", train], ["validation", val]]) {
      const node = element("div", name);
      node.style.flexGrow = part;
      node.append(element("span", "", `${count(part)} for ${name}`));
      split.append(node);
    }
    const title = element("p", "title", `${count(size)} different ${size === 1 ? "character" : "characters"}, with their counts`);
    const list = element("ul", "characters");
    labels.forEach((label, i) => {
      const cell = element("li", "character");
      cell.title = `${label}: ${count(counts[i])}, ${((100 * counts[i]) / (train + val)).toPrecision(2)} % of the text`;
      cell.setAttribute("aria-label", cell.title);
      cell.style.setProperty("--height", `${(100 * counts[i]) / counts[0]}%`);
      cell.append(element("span", "label", label), element("span", "count", compact(counts[i])));
      list.append(cell);
    });
    if (more) list.append(element("li", "more", `and ${count(more)} more`));
    root.replaceChildren(split, title, list);
  }
  return { root, update };
}

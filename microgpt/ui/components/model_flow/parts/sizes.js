// A number of parameters, as in "10.8 million".
const countText = (count) => {
  for (const [unit, name] of [[1e9, " billion"], [1e6, " million"], [1e3, " thousand"]]) {
    if (count >= unit) return `${Number((count / unit).toPrecision(3))}${name}`;
  }
  return String(count);
};

// Squares whose areas are the numbers of parameters of this model and of other ones, nested in one
// corner. models: [[name, count, source]].
const drawSizes = (root, parameters, models) => {
  const all = [["this model", parameters, ""], ...models].sort((a, b) => b[1] - a[1]);
  const largest = all[0][1];
  const area = element("div", "areas"), list = element("ul", "size-list");
  for (const [name, count, source] of all) {
    const isOwn = name === "this model", side = 100 * Math.sqrt(count / largest);
    const square = element("span", isOwn ? "square own" : "square");
    square.style.width = square.style.height = `${side}%`;
    area.append(square);
    const times = isOwn ? "" : `, ${countText(Math.round(count / parameters))} times as many`;
    const entry = element("li", isOwn ? "own" : "", `${isOwn ? "This model" : name}: `);
    entry.append(element("strong", "", countText(count)), ` parameters${times}`);
    if (source) entry.append(element("span", "source", ` (${source})`));
    list.append(entry);
  }
  area.setAttribute("aria-hidden", "true");
  const words = element("div", "size-words");
  words.append(element("h4", "size-title", "How large is this model?"));
  words.append(element("p", "size-about", "Each square has an area in proportion to the number of parameters."));
  words.append(list);
  root.replaceChildren(area, words);
};

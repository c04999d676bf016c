const MOST_ROWS = 256; // the most characters that the list shows

// The end of the picture: from the logits to the character that is drawn, with the settings.
// point(kind, index) is called for the logit and the probability of a character, write(token) to add
// the one that was drawn to the text, and change(values) when a slider is moved.
const writingPanel = (point, write, change) => {
  const root = element("div", "writing");
  const settings = element("div", "settings"), list = element("div", "ranking");
  const sum = element("div", "cumulative"), result = element("div", "drawn");
  const segments = element("div", "segments"), pointer = element("span", "pointer");
  const sentence = element("span", "draw-sentence");
  const sign = element("span", "drawn-sign");
  const again = button("again", "Draw again", "Draw another character", () => draw(Math.random()));
  const add = button("again", "Write it", "Continue the text with this character", () => {
    drawNext = true;
    write(drawnToken(probs, uniform));
  });
  let drawNext = false; // whether the next position starts with a new draw
  let data = null, logits = null, probs = null, uniform = 0;
  let definitions = [], values = {}, inputs = {};
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "The characters, the likeliest first");
  sum.setAttribute("role", "img");
  sentence.setAttribute("aria-live", "polite");
  sum.append(segments, pointer);
  const buttons = element("div", "buttons");
  buttons.append(again, add);
  result.append(sign, sentence, buttons);
  root.append(list, settings, sum, result);

  function show(fresh) {
    if (data?.name !== fresh.name) {
      uniform = drawNext ? Math.random() : fresh.uniform;
      drawNext = false;
    }
    data = fresh;
    add.hidden = data.at !== data.labels.length - 1;
    logits = new Float32Array(bytes(data.logits).buffer);
    update();
  }

  // Show sliders for the settings, which have new values unless these are null.
  function set(fresh, newValues) {
    const isOther = JSON.stringify(fresh) !== JSON.stringify(definitions);
    definitions = fresh;
    if (newValues) values = { ...newValues };
    if (isOther) writeSettings();
    else if (!newValues) return;
    for (const [name, { input }] of Object.entries(inputs)) input.value = values[name];
    if (data) update();
  }

  function writeSettings() {
    inputs = {};
    const rows = definitions.map(({ name, label, help, least, most, step }) => {
      const row = element("label", "setting"), input = element("input", "slider");
      const number = element("output", "setting-value");
      Object.assign(input, { type: "range", min: least, max: most, step, title: help });
      input.setAttribute("aria-label", label);
      input.oninput = () => {
        values[name] = Number(input.value);
        update();
        change(values);
      };
      row.append(element("span", "setting-name", label), input, number);
      inputs[name] = { input, number, label, most, isCount: step === 1 };
      return row;
    });
    settings.replaceChildren(...rows);
  }

  function update() {
    probs = nextTokenProbs(logits, values);
    for (const [name, { input, number, most, isCount }] of Object.entries(inputs)) {
      const least = Number(input.min);
      input.style.setProperty("--done", `${(100 * (values[name] - least)) / (most - least)}%`);
      number.textContent = isCount
        ? (values[name] < most ? values[name] : "all") : values[name].toFixed(2);
    }
    const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
    const highest = Math.max(...probs);
    const places = [];
    const rows = order.slice(0, MOST_ROWS).map((token, i) => {
      const node = row(token, highest);
      for (const [column, cell] of [...node.querySelectorAll("button")].entries()) {
        // The Tab key reaches the first row, and the arrow keys the others.
        cell.tabIndex = i ? -1 : 0;
        const place = { cell, row: i, column };
        places.push(place);
        cell.onkeydown = (event) => moveInGrid(event, places, place);
      }
      return node;
    });
    const titles = element("div", "row titles");
    titles.append(...["", "logit", "probability"].map((each) => element("span", "label", each)));
    titles.append(element("span", "label given", `at ${settingsText()}`));
    list.replaceChildren(titles, ...rows);
    if (order.length > MOST_ROWS) {
      list.append(element("div", "more", `and ${order.length - MOST_ROWS} less likely ones`));
    }
    draw(uniform);
  }

  // The settings that these probabilities depend on: the temperature, and what removes characters.
  function settingsText() {
    const { temperature, ...others } = values;
    const removing = Object.entries(others).filter(([name, value]) => value < inputs[name].most);
    const texts = removing.map(([name, value]) => `${inputs[name].label.toLowerCase()} ${value}`);
    return [`temperature ${temperature}`, ...texts].join(", ");
  }

  function row(token, highest) {
    const node = element("div", probs[token] ? "row" : "row removed");
    const cell = (className, name, text) => {
      const made = element("button", `cell-number ${className}`, text);
      made.type = "button";
      made.setAttribute("aria-label", `${name} of ${data.vocabulary[token]}`);
      return made;
    };
    const logit = cell("logit", "Logit", numberText(logits[token]));
    const share = cell("probability", "Probability", "");
    const bar = element("span", "probability-bar");
    bar.style.width = `${(100 * probs[token]) / highest}%`;
    share.append(bar, element("span", "probability-text", percentText(probs[token])));
    for (const [each, kind] of [[logit, "logit"], [share, "probability"]]) {
      each.onpointerenter = each.onfocus = each.onclick = () => point(kind, token);
    }
    node.dataset.token = token;
    node.append(element("span", "row-sign", data.vocabulary[token]), logit, share);
    return node;
  }

  function draw(drawn) {
    uniform = drawn;
    const token = drawnToken(probs, uniform);
    const shown = [...probs.keys()].filter((each) => probs[each] > 0);
    let cumulative = 0, before = 0;
    segments.replaceChildren(
      ...shown.map((each, i) => {
        const node = element("span", `segment shade-${i % 2}`);
        if (each === token) {
          node.classList.add("chosen");
          before = cumulative;
        }
        cumulative += probs[each];
        node.style.width = `${100 * probs[each]}%`;
        if (probs[each] >= 0.05) node.textContent = data.vocabulary[each];
        return node;
      }),
    );
    pointer.style.left = `${100 * uniform}%`;
    sign.textContent = data.vocabulary[token];
    sentence.textContent =
      `The random number ${uniform.toFixed(3)} falls between ${before.toFixed(3)} and ` +
      `${(before + probs[token]).toFixed(3)}.`;
    sum.setAttribute("aria-label", `${data.vocabulary[token]} is drawn. ${sentence.textContent}`);
    for (const node of list.querySelectorAll("[data-token]")) {
      node.classList.toggle("chosen", Number(node.dataset.token) === token);
    }
  }

  // How the probability of a character came about.
  function explain(token) {
    const largest = Math.max(...logits), divisor = Math.max(values.temperature, 1e-60);
    const kept = [...probs.keys()].filter((each) => probs[each] > 0);
    const weight = (each) => Math.exp((logits[each] - largest) / divisor);
    const terms = kept.map((each) => [data.vocabulary[each], weight(each), null, weight(each)]);
    terms.sort((a, b) => b[3] - a[3]);
    const rest = terms.splice(6), total = kept.reduce((sum, each) => sum + weight(each), 0);
    const isKept = probs[token] > 0;
    return {
      title: `Probability of “${data.vocabulary[token]}”`,
      formula: isKept
        ? `e to the power of (logit − highest logit) / ${values.temperature.toFixed(2)}, divided by ` +
          `the sum over the ${kept.length} characters that the settings allow`
        : "the settings do not allow this character",
      value: probs[token], terms, constant: null, scale: 1, total, strips: null,
      rest: rest.length ? [rest.length, rest.reduce((sum, each) => sum + each[3], 0)] : null,
      then: isKept ? "share" : "", of: weight(token),
    };
  }

  return { root, show, set, explain };
};

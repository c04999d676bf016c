// A text and its translation by an encoder–decoder: lines from each character of the output to the
// characters of the input that it looks at, the three attention maps of the chosen heads, a switch
// for each head of the cross-attention, and a slider over the training. Pointing, tapping and the
// arrow keys choose a character; a slider moves everything to another step, without a rerun.
const KINDS = ["encoder", "decoder", "cross"];
const MEAN = "Mean of all";
const NOTHING = ""; // the name of the choice of no character
const WRITE_MS = 220;
const WIDE = 704; // in pixels: from this width on, the maps are side by side (44rem in the style sheet)

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.send = setTriggerValue;
  view.show(data);
  const turn = (view.turn = {});
  return () => view.turn === turn && view.leave();
}

function build(parentElement) {
  const root = parentElement.querySelector(".translation");
  const find = (name) => root.querySelector(`.${name}`);
  const [summary, input, output, before, lines] = ["summary", "input", "output", "before", "lines"].map(find);
  const [write, verdict, effect] = ["write", "verdict", "effect"].map(find);
  let data = null, maps = [], received = null;
  let step = 0, pinned = NOTHING, pointed = null, shown = {};
  let cells = { input: [], output: [] };
  let written = null, timer = null; // how many characters are written; null after the last one
  const { sendLater, receive } = keptChoices(root, (...choice) => view.send(...choice));

  const panels = KINDS.map((kind) =>
    mapPanel(kind, {
      point: (row, column) => point(cellOf(kind, row, column)),
      pin: (row, column) => pin(cellOf(kind, row, column).name),
      leave: () => point(null),
      choose: (head) => choose(kind, head),
    }),
  );
  find("maps").append(...panels.map((panel) => panel.root));
  const heads = headList(root, {
    choose: (head) => choose("cross", head),
    switched: (off) => view.send("off", off),
  });
  const training = trainingSlider(root, {
    move: (to) => {
      step = to;
      stopWriting();
      writeOutput();
      paint();
    },
    send: () => sendLater("step", data.steps[step], step),
    back: () => view.send("back", true),
  });

  const S = () => data.input.length;
  const now = () => data.written[step]; // what was written at this step: its labels and the rest
  const T = () => now().labels.length;
  const sizes = { encoder: () => [S(), S()], decoder: () => [T(), T()], cross: () => [T(), S()] };
  // The map of a head at this step, row by row, 0 to 255.
  const mapOf = (kind) => {
    const [rows, columns] = sizes[kind](), size = rows * columns;
    return maps[step][kind].subarray(shown[kind] * size, (shown[kind] + 1) * size);
  };
  const nameOf = (text, at) => positionName(text === "input" ? data.input : now().rows, at);
  const choice = (text, at) => `${text} ${at + 1}`;
  const parsed = (name) => {
    const [text, number] = name.split(" ");
    return number ? { name, text, at: Number(number) - 1 } : null;
  };
  // A cell of a map: its query is the character that is pointed at.
  const cellOf = (kind, row, column) => {
    const text = kind === "encoder" ? "input" : "output";
    return { name: choice(text, row), text, at: row, kind, column };
  };

  function show(fresh) {
    const other = data?.name !== fresh.name;
    data = fresh;
    if (receive("step", data.step) || step >= data.steps.length) step = data.step;
    if (receive("point", data.point) || other) pinned = data.point;
    for (const kind of KINDS) if (receive(kind, data.shown[kind]) || other) shown[kind] = data.shown[kind];
    if (other) stopWriting();
    document.addEventListener("microgpt-translation-maps", takeMaps);
    takeMaps();
    cells.input = writeText(input, data.input, "input");
    writeOutput();
    panels.forEach((panel, i) => panel.describe(data.panels[KINDS[i]], [...data.names, MEAN]));
    heads.show(data);
    effect.textContent = data.effect;
    training.show(data, step);
    paint();
  }

  // The maps are sent separately, before or after the other data.
  function takeMaps() {
    const sent = document.microgptTranslationMaps;
    if (!data || sent?.name !== data.maps || sent.name === received) return;
    received = sent.name;
    maps = sent.maps.map((each) => Object.fromEntries(KINDS.map((kind) => [kind, bytes(each[kind])])));
    paint();
  }

  function writeText(node, labels, text) {
    const made = labels.map((label, i) => {
      const cell = element("span", "cell", label);
      cell.dataset.at = i;
      return cell;
    });
    node.replaceChildren(...made);
    node.style.setProperty("--count", labels.length);
    return made;
  }

  function writeOutput() {
    const { labels, changed, verdict: about } = now();
    cells.output = writeText(output, labels, "output");
    cells.output.forEach((cell, i) => cell.classList.toggle("changed", changed.includes(i)));
    const whole = data.before[step];
    const shownBefore = whole ? labels.map((_, i) => (changed.includes(i) ? whole[i] ?? "" : "")) : [];
    writeText(before, shownBefore, "before");
    before.prepend(element("span", "about", "with all heads"));
    before.hidden = !changed.length;
    verdict.textContent = ({ right: "✓ ", wrong: "✗ " }[about.kind] ?? "") + about.text;
  }

  // Choose the head whose map is shown; the page keeps it.
  function choose(kind, head) {
    shown[kind] = head;
    paint();
    sendLater(kind, head, head, 0);
  }

  const point = (place) => {
    pointed = place;
    paint();
  };
  const pin = (name) => {
    pinned = name === pinned ? NOTHING : name;
    point(parsed(pinned));
    sendLater("point", pinned);
  };

  function paint() {
    if (!data || received !== data.maps) return;
    let place = pointed ?? parsed(pinned);
    if (written !== null) place = written ? parsed(choice("output", written - 1)) : null;
    else if (place && place.at >= (place.text === "input" ? S() : T())) place = null;
    const sides = { input: [], output: [] };
    if (place) sides[place.text] = [place.at];
    for (const text of ["input", "output"]) {
      cells[text].forEach((cell, i) => {
        cell.classList.toggle("query", sides[text].includes(i));
        cell.classList.toggle("unwritten", text === "output" && written !== null && i >= written);
      });
    }
    output.classList.toggle("writing", written !== null);
    shade(place);
    sizeMaps(panels, KINDS.map((kind) => sizes[kind]()), root.clientWidth >= WIDE);
    drawLines(lines, cells, mapOf("cross"), place, written ?? T());
    KINDS.forEach((kind, i) => {
      const [rows, columns] = sizes[kind]();
      panels[i].paint({
        rows: kind === "encoder" ? data.input : now().rows,
        columns: kind === "decoder" ? now().read : data.input,
        weights: mapOf(kind),
        palette: data.palette,
        row: place && (kind === "encoder") === (place.text === "input") ? place.at : null,
        column: columnOf(kind, place),
        written: kind === "encoder" ? rows : written ?? rows,
        head: shown[kind],
        does: now().does[kind]?.[shown[kind]] ?? "",
      });
    });
    panels.forEach(numberLabels);
    heads.mark(shown.cross, now().scores);
    summary.textContent = sentence(place);
  }

  function columnOf(kind, place) {
    if (!place) return null;
    if (place.kind === kind) return place.column;
    return kind === "cross" && place.text === "input" ? place.at : null;
  }

  // Shade the input by what the pointed character of the output looks at, and the other way round.
  function shade(place) {
    const weights = mapOf("cross");
    const of = { input: () => 0, output: () => 0 };
    if (place?.text === "output") of.input = (j) => weights[place.at * S() + j];
    if (place?.text === "input") of.output = (i) => weights[i * S() + place.at];
    for (const text of ["input", "output"]) {
      cells[text].forEach((cell, i) => {
        const colour = place && place.text !== text ? data.palette[of[text](i)] : null;
        cell.style.background = colour ? cssColour(colour) : "";
        cell.style.color = colour ? ink(colour) : "";
      });
    }
  }

  function sentence(place) {
    if (!place) return data.hint;
    const weights = mapOf("cross"), head = data.names[shown.cross] ?? "mean of all heads";
    const share = (weight) => (weight / 255).toFixed(2);
    if (place.kind && place.kind !== "cross") {
      const [, columns] = sizes[place.kind](), weight = mapOf(place.kind)[place.at * columns + place.column];
      const to = positionName(place.kind === "encoder" ? data.input : now().read, place.column);
      const asks = place.kind === "encoder" ? nameOf("input", place.at) : `To write ${nameOf("output", place.at)}, the decoder`;
      return `${asks} attends to ${to}: ${share(weight)}`;
    }
    if (place.text === "input") {
      const column = Array.from({ length: T() }, (_, i) => weights[i * S() + place.at]);
      const most = column.indexOf(Math.max(...column));
      return `${nameOf("input", place.at)} is looked at most to write ${nameOf("output", most)}: ${share(column[most])} (${head})`;
    }
    const row = weights.subarray(place.at * S(), (place.at + 1) * S());
    const at = place.kind === "cross" ? place.column : row.indexOf(Math.max(...row));
    const verb = place.kind === "cross" ? "looks at" : "looks most at";
    return (
      `To write ${nameOf("output", place.at)}, the decoder ${verb} ${nameOf("input", at)}: ` +
      `${share(row[at])} (${head}) · probability of ${now().rows[place.at]}: ${now().probs[place.at]}`
    );
  }

  for (const [text, node] of Object.entries({ input, output })) {
    node.onpointerover = (event) => {
      const at = positionUnder(event);
      if (at !== null && written === null) point(parsed(choice(text, at)));
    };
    node.onpointerleave = (event) => {
      if (event.pointerType === "mouse") point(null); // a tap also ends in pointerleave
    };
    node.onclick = (event) => {
      const at = positionUnder(event);
      if (at !== null) pin(choice(text, at));
    };
    node.onkeydown = (event) => {
      if (event.key === "Escape") return pin(pinned);
      const last = cells[text].length - 1, from = parsed(pinned);
      const at = from?.text === text ? from.at : null;
      const by = arrow(event);
      const to = by ? clamp(at === null ? (by > 0 ? 0 : last) : at + by, 0, last) : { Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (choice(text, to) !== pinned) pin(choice(text, to));
    };
  }

  // Write the output again, one character at a time.
  function startWriting() {
    stopWriting();
    written = 0;
    paint();
    timer = setInterval(() => {
      written += 1;
      if (written > T() || !root.isConnected) stopWriting();
      paint();
    }, WRITE_MS);
  }
  function stopWriting() {
    clearInterval(timer);
    timer = written = null;
  }
  write.onclick = startWriting;
  find("save").onclick = () => savePicture(root, data.file.replace("STEP", data.steps[step]));

  let wide = 0;
  new ResizeObserver(() => {
    if (root.clientWidth === wide) return;
    wide = root.clientWidth;
    paint();
  }).observe(root);
  document.fonts.ready.then(paint);

  const view = {
    root,
    show,
    leave: () => {
      stopWriting();
      training.stop();
      document.removeEventListener("microgpt-translation-maps", takeMaps);
    },
  };
  return view;
}

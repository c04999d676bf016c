// One head on one text: the attention of one character to the earlier ones, drawn on the text, the
// same for each head of the layer as a stripe, and the curves of the training. A slider moves the
// maps, the readouts and the curves to another step of the training, without a rerun of the page.
// A change of the surprisal by this many nats, or more, has the full colour.
const FULL_CHANGE = 1;
const MOST_TICKS = 7; // labels below the slider
const CATEGORIES = "--st-chart-categorical-colors"; // blue, orange, green and violet

const nats = (value) => value.toFixed(3);
const signedNats = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const probability = (surprisal) => {
  const p = Math.exp(-surprisal);
  return p < 0.0005 ? "< 0.001" : p.toFixed(3);
};
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const mixed = (from, to, share) => from.map((part, i) => Math.round(part + share * (to[i] - part)));

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.send = setTriggerValue;
  view.receive(data);
  const turn = (view.turn = {});
  return () => view.turn === turn && view.leave();
}

function build(parentElement) {
  const root = parentElement.querySelector(".life");
  const find = (name) => root.querySelector(`.${name}`);
  const [title, about, summary] = ["title", "about", "summary"].map(find);
  const [text, heads, training] = ["text", "heads", "training"].map(find);
  const [play, stepName, curves, save] = ["play", "step", "curves", "save"].map(find);
  const [slider, ticks, axis, note] = ["slider", "ticks", "axis", "note"].map(find);
  let data = null, maps = null, name = null, T = 0;
  let cells = [], stripes = [], showHead = null, plots = [];
  let head = 0, step = 0, pinned = 0, query = 0, score = null;
  let next = null, areFontsLoaded = false;
  const { sendLater, receive } = keptChoices(root, (...choice) => view.send(...choice));

  const last = () => data.steps.length - 1;
  const triangle = () => (T * (T + 1)) / 2;
  // The attention of a query to itself and to all characters before it, 0 to 255.
  const rowOf = (which, at) => {
    const start = ((data.moving ? step : 0) * data.heads + which) * triangle() + (at * (at + 1)) / 2;
    return maps.subarray(start, start + at + 1);
  };
  // The surprisal of the characters after the first one, with and without the heads that are off;
  // null where it was not measured.
  const ablation = () => data.ablation && data.ablation.steps[step];

  // The data, its maps and the fonts arrive in any order. Show the data when all of them are there,
  // so that the text does not move once it is shown.
  function receiveData(fresh) {
    next = fresh;
    document.addEventListener("microgpt-life-maps", showNext);
    showNext();
  }
  function showNext() {
    const sent = document.microgptLifeMaps;
    if (!next || !areFontsLoaded || sent?.name !== next.maps) return;
    if (sent.name !== name) maps = bytes(sent.maps);
    name = sent.name;
    show(next);
    next = null;
    root.classList.remove("empty");
  }
  const fonts = [title, about, summary, text].map((node) => {
    const { fontFamily, fontWeight } = getComputedStyle(node);
    return document.fonts.load(`${fontWeight} 1rem ${fontFamily}`);
  });
  Promise.allSettled(fonts).then(() => {
    areFontsLoaded = true;
    showNext();
  });

  function show(fresh) {
    const before = data;
    data = fresh;
    T = data.labels.length;
    const other = before?.labels.join("\0") !== data.labels.join("\0");
    if (other) writeText();
    head = data.head;
    if (receive("step", data.step) || step > last()) step = data.step;
    if (receive("query", data.query) || other) query = pinned = data.query;
    if (before?.score !== data.score || !(score in data.scores)) score = data.score;
    writeHeads();
    writeCurves();
    writeNote();
    paintRamp("attention", [0, 64, 128, 191, 255].map((level) => data.palette[level]));
    training.hidden = !plots.length && !data.moving;
    slider.max = last();
    slider.hidden = play.hidden = !data.moving;
    moveTo(step);
    keepSpace();
  }

  // Keep space for the longest of the sentences, so that nothing moves with the slider.
  function keepSpace() {
    const measured = data.ablation?.steps ?? [];
    reserve(about, [...data.about, ...measured.filter(Boolean).map(lossSentence)]);
    reserve(summary, data.moving && measured.includes(null) ? [data.ablation.missing] : []);
    paint();
  }
  let wide = 0;
  new ResizeObserver(() => {
    // 0 where it is not in the page, or in a closed tab: there it has neither sizes nor colours.
    if ([0, wide].includes(root.clientWidth)) return;
    wide = root.clientWidth;
    if (data) keepSpace();
  }).observe(root);

  function reserve(node, texts) {
    node.style.minHeight = "";
    const heights = Array.from(new Set(texts), (each) => {
      node.textContent = each;
      return node.offsetHeight;
    });
    node.style.minHeight = `${Math.max(0, ...heights)}px`;
  }

  function writeText() {
    cells = writeWords(text, data);
    for (const each of text.children) {
      const found = each.querySelectorAll(".cell");
      each.classList.toggle("blank", found.length === 1 && data.lines.includes(Number(found[0].dataset.at)));
    }
  }

  function writeHeads() {
    if (stripes.length !== data.heads) {
      const options = Array.from({ length: data.heads }, (_, i) => [`H${i + 1}`, i]);
      const all = radios("Head", "stripe", options, (which) => {
        head = which;
        paint();
        view.send("head", which);
      });
      showHead = all.show;
      stripes = [...all.root.childNodes];
      stripes.forEach((stripe, i) => {
        const canvas = element("canvas", "weights");
        stripe.replaceChildren(element("span", "name", `H${i + 1}`), canvas, badgeNode(null));
      });
      heads.replaceChildren(all.root);
    }
    stripes.forEach((stripe, i) => stripe.classList.toggle("member", data.members.includes(i)));
  }

  // The badges of the chosen step. A head that was not measured there has none.
  function writeBadges() {
    stripes.forEach((stripe, i) => {
      const badge = data.badges[step][i];
      stripe.lastChild.replaceWith(badgeNode(badge));
      const label = badge ? `: ${badgeText(badge)}` : "";
      stripe.title = `Layer ${data.layer + 1}, head ${i + 1}${label}`;
      stripe.setAttribute("aria-label", stripe.title);
    });
  }

  // Why there is no slider, with a way to the text that has one.
  function writeNote() {
    const back = button("tool", data.back, data.back, () => view.send("back", true));
    note.replaceChildren(data.note, data.back ? back : "");
    note.hidden = !data.note;
  }

  function writeCurves() {
    // The validation loss has this colour in all views.
    const [ofScore, loss, , effect] = themeColours(root, CATEGORIES);
    for (const [kind, colour] of Object.entries({ loss, score: ofScore, effect })) {
      root.style.setProperty(`--${kind}`, cssColour(colour));
    }
    const shown = [...data.curves];
    if (score in data.scores) shown.splice(1, 0, { ...data.scores[score], isScore: true });
    plots = shown.map((curve) => plot(curve));
    curves.replaceChildren(...plots.map((each) => each.root));
    ticks.replaceChildren(...stepLabels(data.steps, MOST_TICKS));
    ticks.hidden = axis.hidden = last() === 0;
  }

  // Snapshots are evenly spaced, as on the slider.
  const x = (i) => (last() ? i / last() : 0.5);

  // A curve with its title, its scale and its value at the chosen step.
  function plot(curve) {
    const node = element("div", `curve ${curve.className}`);
    const head = element("div", "curve-head"), value = element("span", "value");
    head.append(curve.isScore ? scoreSelect(curve) : element("span", "curve-title curve-mark", curve.title));
    head.append(value);
    const box = element("div", "plot");
    const known = [...curve.values, ...(curve.chance ?? [])].filter((each) => each !== null);
    const [low, high] = limits(known, curve.zero);
    const y = (number) => 1 - (number - low) / (high - low);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(line(curve.values, y, "measured"));
    if (curve.chance) svg.append(line(curve.chance, y, "chance"));
    if (low < 0 && high > 0) svg.append(line(curve.values.map(() => 0), y, "zero"));
    const cursor = element("div", "cursor"), dot = element("span", "dot");
    box.append(svg, cursor, dot);
    for (const at of new Set([low, high, ...(low < 0 && high > 0 ? [0] : [])])) {
      const tick = element("span", "level", String(Number(at.toPrecision(3))).replace("-", "−"));
      tick.style.top = `${100 * y(at)}%`;
      box.append(tick);
    }
    box.setAttribute("role", "img");
    const [first, final] = [curve.values[0], curve.values[last()]].map((each) => words(curve, each));
    box.setAttribute("aria-label", `${curve.title}, from ${first} to ${final}`);
    scrub(box);
    node.append(head, box);
    const update = () => {
      const now = curve.values[step];
      value.textContent = words(curve, now);
      cursor.style.left = dot.style.left = `${100 * x(step)}%`;
      dot.hidden = now === null;
      if (now !== null) dot.style.top = `${100 * y(now)}%`;
    };
    return { root: node, update };
  }

  function words(curve, value) {
    if (value === null) return "not measured";
    const number = curve.signed ? `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(4)}` : value.toFixed(curve.digits);
    return `${number}${curve.unit && ` ${curve.unit}`}`;
  }

  function scoreSelect(curve) {
    const label = element("label", "curve-title curve-mark");
    const select = element("select", "choose-score");
    for (const each of Object.keys(data.scores)) {
      const option = element("option", "", data.scores[each].title);
      option.value = each;
      option.selected = each === score;
      select.append(option);
    }
    select.setAttribute("aria-label", "Head score");
    select.title = curve.about;
    select.onchange = () => {
      score = select.value;
      writeCurves();
      moveTo(step);
      curves.querySelector(".choose-score").focus();
    };
    label.append(select);
    return label;
  }

  // A line with gaps where the value is null.
  function line(values, y, className) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    let pen = "M";
    const parts = values.map((value, i) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const part = `${pen}${x(i)} ${y(value)}`;
      pen = "L";
      return part;
    });
    path.setAttribute("d", parts.join(""));
    path.setAttribute("class", className);
    return path;
  }

  // Round limits of an axis.
  function limits(values, zero) {
    let low = Math.min(...values, zero ? 0 : Infinity), high = Math.max(...values, zero ? 0 : -Infinity);
    if (!Number.isFinite(low)) return [0, 1];
    if (low === high) high = low + (zero ? 1 : Math.abs(low) || 1);
    const unit = 10 ** Math.floor(Math.log10(high - low));
    const fine = (high - low) / unit < 3 ? unit / 2 : unit;
    return [Math.floor(low / fine) * fine, Math.ceil(high / fine) * fine];
  }

  function scrub(box) {
    if (!data.moving) return;
    box.onpointerdown = box.onpointermove = (event) => {
      if (event.type === "pointerdown") box.setPointerCapture(event.pointerId);
      else if (!event.buttons) return;
      const area = box.getBoundingClientRect();
      playing.stop();
      moveTo(Math.round(clamp((event.clientX - area.left) / area.width, 0, 1) * last()));
    };
    box.onpointerup = sendStep;
  }

  function moveTo(to) {
    step = to;
    const text = `Step ${data.steps[step].toLocaleString("en")}`;
    stepName.textContent = text;
    playing.mark(text);
    for (const each of plots) each.update();
    writeBadges();
    paint();
  }

  function paint() {
    const measured = ablation();
    const row = rowOf(head, query);
    const [ground = [255, 255, 255]] = themeColours(root, "--st-background-color");
    const [better, worse] = themeColours(root, CATEGORIES);
    title.textContent =
      head === data.head ? data.title : `Layer ${data.layer + 1}, head ${head + 1}`;
    cells.forEach((cell, i) => {
      let colour = null;
      if (measured && i > 0) {
        const change = clamp((measured[1][i - 1] - measured[0][i - 1]) / FULL_CHANGE, -1, 1);
        colour = mixed(ground, change > 0 ? worse : better, Math.abs(change));
      } else if (!measured && i <= query) {
        colour = data.palette[row[i]];
      }
      cell.style.background = colour ? cssColour(colour) : "";
      cell.style.color = colour ? ink(colour) : "";
      cell.classList.toggle("query", i === query);
      cell.classList.toggle("later", !measured && i > query);
    });
    showHead(head);
    stripes.forEach((stripe, i) => paintStripe(stripe.querySelector("canvas"), rowOf(i, query)));
    find("changes").hidden = !measured;
    paintRamp("changes", [better, ground, worse]);
    about.textContent = measured ? lossSentence(measured) : data.about[step];
    summary.textContent = summarySentence(row, measured);
  }

  function paintStripe(canvas, row) {
    if (canvas.width !== T) canvas.width = T;
    canvas.height = 1;
    const context = canvas.getContext("2d");
    const image = context.createImageData(T, 1);
    row.forEach((weight, key) => image.data.set([...data.palette[weight], 255], 4 * key));
    context.putImageData(image, 0, 0);
  }

  function paintRamp(legend, colours) {
    const stops = colours.map((each) => cssColour(each));
    root.querySelector(`.${legend} .ramp`).style.background = `linear-gradient(to right, ${stops})`;
  }

  function summarySentence(row, measured) {
    if (measured) return changeSentence(measured);
    return data.ablation ? data.ablation.missing : attentionSentence(row);
  }

  function lossSentence([whole, without]) {
    const [before, after] = [mean(whole), mean(without)];
    return (
      `Without ${data.ablation.heads}, the loss on this text is ${nats(after)} instead of ` +
      `${nats(before)} nats per character (${signedNats(after - before)}).`
    );
  }

  function attentionSentence(row) {
    const best = row.indexOf(Math.max(...row));
    const [from, to] = [query, best].map((at) => positionName(data.labels, at));
    return `${from} attends most to ${to}: ${(row[best] / 255).toFixed(2)}`;
  }

  function changeSentence([whole, without]) {
    const name = positionName(data.labels, query);
    if (query === 0) return `${name} is the first character, so nothing predicts it.`;
    const [before, after] = [whole, without].map((each) => probability(each[query - 1]));
    return `${name}: probability ${after} instead of ${before}`;
  }

  const point = (at) => {
    query = at;
    paint();
  };
  const pin = (at) => {
    pinned = at;
    point(at);
    sendLater("query", at);
  };
  text.onpointerover = (event) => {
    if (positionUnder(event) !== null) point(positionUnder(event));
  };
  text.onpointerleave = (event) => {
    if (event.pointerType === "mouse") point(pinned); // a tap also ends in pointerleave
  };
  text.onclick = (event) => {
    if (positionUnder(event) !== null) pin(positionUnder(event));
  };
  text.onkeydown = (event) => {
    const by = textArrow(event, cells[query]);
    const to = by ? query + by : { Home: 0, End: T - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    pin(clamp(to, 0, T - 1));
  };

  const sendStep = () => sendLater("step", data.steps[step], step);
  const playing = playback(play, slider, { last, at: () => step, move: moveTo, send: sendStep });
  save.before(linkButton("Copy link to this tab and its settings", () => location.search));
  save.onclick = () => savePicture(root, data.file.replace("STEP", data.steps[step]));

  const view = {
    root,
    receive: receiveData,
    leave: () => {
      playing.stop();
      document.removeEventListener("microgpt-life-maps", showNext);
    },
  };
  return view;
}

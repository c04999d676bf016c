// A text. Hover, a tap and the arrow keys show what the model predicted at a character. The data of
// the predictions are packed (see tokens.py). While a text is being written, further numbers arrive
// in hidden elements of the page.
const STEPS_PER_NAT = 2000, INFINITE = 65535, MAX_NATS = 6, PLAY_MS = 140;
const MAX_BEFORE = 500; // characters; only the end of a longer prompt is shown
const COLOURS = { none: "Plain", probability: "Probability", surprisal: "Surprisal" };
const LEGENDS = { none: [], probability: ["0", "1"], surprisal: ["0", `${MAX_NATS}+ nats`] };
const PLAY = "Replay how the text was written";
const NARROW = 672; // pixels; in a narrower element the card is below the text
// On a phone the card of a selected character is a sheet at the bottom of the window.
const phone = matchMedia("(max-width: 40rem)");
const SELECTED = "microgpt-character-selected";
// The colour stays the same in all texts of a browser tab. Storage may be denied in a frame of
// another site; the colour is then kept until the page is loaded again.
const storage = (() => {
  try {
    return sessionStorage;
  } catch {
    return {};
  }
})();
const numbers = (text) => new Uint16Array(bytes(text).buffer);
const nats = (steps) => (steps === INFINITE ? Infinity : steps / STEPS_PER_NAT);
const percent = (p) =>
  p > 0 && p < 5e-5 ? "< 0.01 %" : `${(100 * p).toFixed(p < 0.0995 ? 2 : 1)} %`;

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.pick = (at, token) => setTriggerValue("picked", { name: data.name, at, token });
  view.step = () => setTriggerValue("step", true);
  view.ask = (at) => setTriggerValue("asked", { name: data.name, at });
  view.show(data);
  const turn = (view.turn = {});
  return () => view.turn === turn && view.stop();
}

function build(parentElement) {
  const root = element("div", "tokens");
  const bar = element("div", "bar");
  const options = Object.entries(COLOURS).map(([name, title]) => [title, name]);
  const colours = radios("Colour by", "colour", options, (name) => chooseColour(name));
  const legend = element("div", "legend");
  legend.append(element("span", "low"), element("span", "ramp"), element("span", "high"));
  const copy = button("tool", "Copy", "Copy the text", () => {
    copyText(data.before + text.textContent, copy);
  });
  const share = linkButton("Copy link to this text and its settings", () => data.link);
  const tools = element("div", "tools");
  const step = button("tool", "", "", () => view.step());
  tools.append(step, copy, share);
  bar.append(colours.root, legend, tools);
  const page = element("pre", "page");
  page.tabIndex = 0;
  page.dir = "auto"; // of each line
  page.setAttribute("role", "group");
  page.setAttribute("aria-label", "The text; arrow keys move from character to character");
  const [before, text, caret] = ["before", "text", "caret"].map((name) => element("span", name));
  page.append(before, text, caret);
  const card = element("aside", "card");
  card.setAttribute("aria-live", "polite");
  const parts = ["hint", "head", "facts", "bars", "key", "foot"];
  const [hint, head, facts, bars, key, foot] = parts.map((name) => element("div", name));
  hint.textContent = "Point at a character or tap it.";
  key.append(element("span", "drawn"), "after the settings", element("span", "model"), "model");
  const more = button("tool more", "", "", () => showDistribution(inspected));
  const why = button("tool why", "Why this one?", "Why this one? See what made the model predict it", () =>
    view.ask(inspected),
  );
  const play = element("div", "play");
  foot.append(more, why, play);
  card.append(hint, head, facts, bars, key, foot);
  const close = button("close", "✕", "Deselect the character", () => release());
  const body = element("div", "body");
  body.append(page, card);
  root.append(bar, body);
  parentElement.appendChild(root);

  let data = null, characters = [], width = 0, table = new Uint16Array(0), colour = null;
  let chosen = null, at = null, inspected = null, playing = null, observer = null;
  const setNarrow = () => root.classList.toggle("narrow", root.clientWidth < NARROW);
  new ResizeObserver(setNarrow).observe(root);
  setNarrow();
  const count = () => text.childNodes.length;
  const row = (i) => table.subarray(i * width, (i + 1) * width);
  const label = (id) => data.labels[id] ?? "";

  const [first, back, go, next, last] = [
    ["«", "Go to the first character", () => jump(0)],
    ["‹", "Go to the previous character", () => jump((at ?? count()) - 1)],
    ["▶", PLAY, () => (playing ? pause() : start())],
    ["›", "Go to the next character", () => jump((at ?? -1) + 1)],
    ["»", "Go to the last character", () => jump(count() - 1)],
  ].map(([sign, title, act]) => button("tool", sign, title, act));
  play.append(first, back, go, next, last);

  function show(newData) {
    const other = !data || data.name !== newData.name;
    const goesOn = !other && newData.live && !data.live;
    data = newData;
    width = 6 + 2 * data.alternatives;
    if (other) {
      // The visitor requested a new text, so scroll to it.
      const requested = table.length && newData.live;
      if (requested) root.scrollIntoView({ block: "nearest", behavior: "smooth" });
      pause();
      text.replaceChildren();
      table = new Uint16Array(0);
      at = chosen = null;
      placeCard();
    }
    characters = [...data.characters];
    const long = data.before.length > MAX_BEFORE;
    const shown = [...(long ? `…${data.before.slice(-MAX_BEFORE)}` : data.before)];
    const marked = data.mark === -1 ? element("span", "mark") : "";
    if (marked) marked.append(...signed(shown.splice(-1), data.signs));
    before.replaceChildren(...signed(shown, data.signs), marked);
    colour ??= data.colour === "none" ? chosenColour() : data.colour;
    addRecords(0, data.records);
    observer?.disconnect();
    observer = null;
    if (data.live) {
      observer = new MutationObserver(readFeed);
      observer.observe(document.body, {
        childList: true,
        subtree: true,
        attributes: true,
        attributeFilter: ["data-records"],
      });
      readFeed();
    }
    if (goesOn) page.scrollTop = page.scrollHeight;
    root.classList.toggle("live", data.live);
    root.classList.toggle("button-below", data.live || data.stopped);
    share.hidden = !data.link;
    step.hidden = !data.step;
    if (data.step) setButton(step, ...data.step);
    setButton(more, `All ${data.labels.length} characters`, "All characters at this position");
    for (const [i, node] of text.childNodes.entries()) {
      node.classList.toggle("mark", i === data.mark);
    }
    applyColour(colour);
    inspect(at);
  }

  function readFeed() {
    for (const node of document.querySelectorAll(`[data-microgpt-feed="${data.name}"]`)) {
      addRecords(Number(node.dataset.from), node.dataset.records);
    }
  }

  // Add the records of the characters from position `from` on, unless they are there already.
  function addRecords(from, records) {
    const known = count(), end = from + (records.length * 3) / 4 / 2 / width;
    if (from > known || end <= known) return;
    const rows = numbers(records);
    const grown = new Uint16Array(end * width);
    grown.set(table);
    grown.set(rows, from * width);
    table = grown;
    const low = page.scrollHeight - page.scrollTop - page.clientHeight < 40;
    const nodes = [];
    for (let i = known; i < end; i++) {
      const char = characters[row(i)[0]];
      const node =
        char in data.signs
          ? signNode(char, data.signs, "char")
          : element("span", char === "\n" ? "char line" : "char", char);
      node.dataset.at = i;
      colourCharacter(node, i);
      nodes.push(node);
    }
    text.append(...nodes);
    if (data.live && low) page.scrollTop = page.scrollHeight;
    if (at === null && card.hidden) inspect(null);
  }

  function colourCharacter(node, i) {
    if (colour === "none" || !colour) return node.style.removeProperty("--share");
    const surprisal = nats(row(i)[3]);
    const share = colour === "surprisal" ? Math.min(1, surprisal / MAX_NATS) : Math.exp(-surprisal);
    node.style.setProperty("--share", `${Math.round(100 * share)}%`);
  }

  function chosenColour() {
    const name = storage.microgptColour; // an earlier version may have set it
    return name in COLOURS ? name : "none";
  }

  function chooseColour(name) {
    storage.microgptColour = name;
    applyColour(name);
  }

  function applyColour(name) {
    colour = name;
    root.dataset.colour = name;
    colours.show(name);
    const [low = "", high = ""] = LEGENDS[name];
    legend.firstChild.textContent = low;
    legend.lastChild.textContent = high;
    text.childNodes.forEach(colourCharacter);
  }

  // The character that the card shows before one is selected: the marked one, or the first with a
  // glyph.
  function previewed() {
    if (data.mark > 0) return data.mark;
    const found = [...text.childNodes].findIndex((node) => node.textContent.trim());
    return Math.max(0, found);
  }

  // Show what the model predicted at character i.
  function inspect(i) {
    const preview = i === null || i >= count();
    const shown = preview ? previewed() : i;
    setMark(preview ? shown : null, "preview");
    card.hidden = !count();
    inspected = shown;
    if (card.hidden) return;
    more.hidden = !data.picks || data.live;
    why.hidden = !data.explains || data.live;
    const record = row(shown), [id, rank, possible] = record;
    const p = Math.exp(-nats(record[3])), drawn = Math.exp(-nats(record[4]));
    head.replaceChildren(
      element("span", "sign", label(id)),
      element("span", "position", `character ${shown + 1} of ${count()}`),
      ...(chosen === null ? [] : [close]),
    );
    const lines = [
      `probability ${percent(p)} · rank ${rank} of ${data.labels.length}`,
      `surprisal ${nats(record[3]).toFixed(2)} nats · entropy ${nats(record[5]).toFixed(2)} nats`,
    ];
    if (data.temperature !== null) {
      lines.push(`after the settings ${percent(drawn)} · ${possible} possible`);
    }
    key.hidden = data.temperature === null;
    facts.replaceChildren(...lines.map((line) => element("div", "fact", line)));
    const k = data.alternatives;
    const rows = [];
    for (let j = 0; j < k; j++) {
      const other = record[6 + j];
      if (other === INFINITE) continue;
      const before = Math.exp(-nats(record[6 + k + j]));
      let after = null;
      if (data.temperature !== null) {
        let ratio = 1;
        if (data.temperature) ratio = p && before ? (before / p) ** (1 / data.temperature) : 0;
        after = j < possible ? Math.min(1, drawn * ratio) : 0;
      }
      rows.push(alternative(shown, other, before, after, other === id));
    }
    bars.replaceChildren(...rows);
  }

  function alternative(i, id, before, after, actual) {
    const selectable = data.branches && !data.live && !actual;
    const name = `Continue with ${isolated(label(id))} instead`;
    const node = selectable
      ? button("alternative", "", name, () => view.pick(i, id))
      : element("div", "alternative");
    node.classList.toggle("actual", actual);
    const track = element("span", "track");
    const [model, drawn] = [element("span", "model"), element("span", "drawn")];
    model.style.width = `${100 * before}%`;
    drawn.style.width = `${100 * (after ?? before)}%`;
    track.append(drawn, model);
    const share = element("span", "share", percent(after ?? before));
    node.append(element("span", "name", label(id)), track, share);
    if (selectable) node.append(element("span", "branch", "↳"));
    return node;
  }

  function setMark(i, name) {
    text.querySelector(`.${name}`)?.classList.remove(name);
    if (i !== null) text.childNodes[i]?.classList.add(name);
  }

  function move(i) {
    at = i;
    setMark(i, "at");
    inspect(i);
  }

  function jump(i) {
    pause();
    select(clamp(i, 0, count() - 1));
  }

  function select(i) {
    if (!count()) return;
    chosen = i;
    move(i);
    placeCard();
    document.dispatchEvent(new CustomEvent(SELECTED, { detail: root }));
    const covered = card.classList.contains("sheet") ? card.offsetHeight + 8 : 0;
    text.childNodes[i].style.scrollMarginBottom = `${covered}px`;
    text.childNodes[i].scrollIntoView({ block: "nearest" });
  }

  function release() {
    pause();
    chosen = null;
    move(null);
    placeCard();
  }

  // The space below a sheet lets the end of the text scroll clear of it.
  function placeCard() {
    const sheet = phone.matches && chosen !== null;
    card.classList.toggle("sheet", sheet);
    root.style.paddingBottom = sheet ? `${card.offsetHeight}px` : "";
  }

  // Of several texts on a phone, only one has a sheet.
  function releaseForAnother(event) {
    if (event.detail !== root && card.classList.contains("sheet")) release();
  }

  function showDistribution(i) {
    view.pick(i, null);
    if (card.classList.contains("sheet")) release();
    const shown = document.querySelector(data.distribution);
    shown?.scrollIntoView({ behavior: "smooth" });
  }

  function start() {
    if (!count()) return;
    root.classList.add("replay");
    let i = chosen === null || chosen >= count() - 1 ? 0 : chosen;
    setButton(go, "❚❚", "Pause");
    const tick = () => {
      select(i);
      text.childNodes.forEach((node, j) => node.classList.toggle("future", j > i));
      if (++i >= count()) pause();
    };
    playing = setInterval(tick, PLAY_MS);
    tick();
  }

  function setButton(node, sign, title) {
    node.textContent = sign;
    node.title = title;
    node.setAttribute("aria-label", title);
  }

  function pause() {
    clearInterval(playing);
    playing = null;
    setButton(go, "▶", PLAY);
    root.classList.remove("replay");
  }

  text.onpointerover = (event) => {
    if (playing || card.classList.contains("sheet") || phone.matches) return;
    if (positionUnder(event) !== null) move(positionUnder(event));
  };
  text.onpointerleave = () => {
    if (!playing) move(chosen);
  };
  text.onclick = (event) => {
    const i = positionUnder(event);
    if (i === null || String(getSelection())) return;
    jump(i);
  };
  page.onkeydown = (event) => {
    const i = chosen ?? -1;
    const step = textArrow(event, page);
    const to = step ? i + step : { Home: 0, End: count() - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      jump(to);
    } else if (event.key === "Enter" && chosen !== null && !more.hidden) {
      showDistribution(chosen);
    } else if (event.key === "Escape") {
      release();
    }
  };

  document.addEventListener(SELECTED, releaseForAnother);
  phone.addEventListener("change", placeCard);
  const view = {
    root,
    show,
    stop: () => {
      pause();
      observer?.disconnect();
      document.removeEventListener(SELECTED, releaseForAnother);
      phone.removeEventListener("change", placeCard);
    },
  };
  return view;
}

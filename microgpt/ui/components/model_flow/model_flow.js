// The whole model at one position of a text, from the characters to the next character. The
// residual stream is a river: what the attention and the MLP of each block add flows into it. One
// block is open and shows its numbers. Pointing at a number shows how it came about.
const ASK_MS = 60, MOVING_MS = 250;
const OUTLINE = 2; // the width of the outline of the query, pixels

export default function ({ parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.send = setTriggerValue;
  view.enter();
  const turn = (view.turn = {});
  return () => view.turn === turn && view.leave();
}

function build(parentElement) {
  const root = parentElement.querySelector(".model-flow");
  const find = (name) => root.querySelector(`.${name}`);
  const [summary, text, picture, river] = ["summary", "text", "picture", "river"].map(find);
  const panel = explanationPanel();
  find("explaining").append(panel.root);
  const writing = writingPanel(pointAt, (token) => view.send("write", token), setSampling);
  const openBlock = (layer) => view.send("block", layer);
  const actions = { openBlock, chooseHead, previewHead };
  const stages = modelStages(find("stages"), writing.root, pointAt, actions);

  let data = null, settings = null, cells = [], at = 0, shownHead = 0, chosenHead = 0;
  // The number that is explained. Until the visitor points at one, the page chooses it.
  let number = null, isChosen = false, pinned = false, asking = null;
  const answers = new Map(), chosen = {};
  const choices = keptChoices(root, (name, value) => view.send(name, value));

  const nameOf = ({ kind, layer, head, index }) => [kind, layer, head, index].join(" ");

  function show(fresh) {
    const before = data;
    data = fresh;
    const isSame = before?.name === data.name && before.open === data.open;
    if (before?.name !== data.name) answers.clear();
    const isOther = before?.labels.join("\0") !== data.labels.join("\0");
    if (isOther) cells = writeWords(text, data);
    if (choices.receive("query", data.at) || isOther) at = data.at;
    if (choices.receive("head", data.head)) chosenHead = data.head;
    if (!isSame || chosenHead !== shownHead) {
      shownHead = chosenHead;
      writing.show(data);
      writeStages();
      paintText();
      paintRamps();
      drawSizes(find("sizes"), data.parameters, data.sizes);
    }
    fitWindow();
    if (!isSame) scrollToQuery();
    drawStream(river, picture, find("stages"), data);
  }

  function writeStages() {
    stages.write(data, shownHead);
    if (number) showNumber();
  }

  // A single choice is sent at once; while the visitor moves on, only the last one is.
  const choose = (what, value) => {
    const moving = performance.now() - (chosen[what] ?? -MOVING_MS) < MOVING_MS;
    chosen[what] = performance.now();
    choices.sendLater(what, value, value, moving ? MOVING_MS : 0);
  };

  const samplingName = (values) => JSON.stringify(values);

  // The sliders act here at once; the page keeps their values, and its link has them.
  function setSampling(values) {
    choices.sendLater("sampling", { ...values }, samplingName(values));
  }

  // ---- Explanations ----

  // The numbers and the explanation are sent separately.
  function receive() {
    const { numbers, sampling, answer } = document.microgptModel ?? {};
    if (!sampling) return;
    if (sampling !== settings) {
      settings = sampling;
      const isNew = choices.receive("sampling", samplingName(settings.values));
      writing.set(settings.settings, isNew ? settings.values : null);
    }
    if (numbers && numbers !== data) show(numbers);
    if (!data || answer?.name !== data.name) return;
    answers.set(nameOf(answer.number), answer.explanation);
    const { missing } = answer;
    const isMissing = number && missing && nameOf(number) === nameOf(missing);
    if (isMissing) {
      isChosen = false;
      pin(false);
    }
    if (!isChosen) number = answer.number;
    if (nameOf(number) === nameOf(answer.number)) showNumber();
    else ask();
  }

  // Explain a number, unless another one is pinned. The open block has the layer.
  function pointAt(kind, index, head = shownHead, layer = data.open ?? 0) {
    if (pinned) return;
    number = { kind, layer, head, index };
    isChosen = true;
    showNumber();
    ask();
  }

  function ask() {
    clearTimeout(asking);
    const asked = number;
    if (localExplanation() || answers.has(nameOf(asked))) return;
    asking = setTimeout(() => view.send("explain", asked), ASK_MS);
  }

  // What needs no weights is explained here.
  function localExplanation() {
    const isHere = number.kind === "probability" && number.index < data.vocabulary.length;
    return isHere ? writing.explain(number.index) : null;
  }

  function showNumber() {
    panel.show(localExplanation() ?? answers.get(nameOf(number)), pinned);
    stages.mark(number);
  }

  function pin(isPinned) {
    pinned = isPinned;
    root.classList.toggle("pinned", pinned);
    showNumber();
  }

  // ---- The text ----

  // Shade the text by the attention of a head of the open block.
  function paintText() {
    const query = at;
    const shades = data.opened && query === data.at ? attentionShades(data, data.open, shownHead) : null;
    cells.forEach((cell, i) => {
      const shade = shades && i <= query ? shades[i] : 0;
      const [red, green, blue, opacity] = attentionColour(data.palette, shade);
      cell.style.background = shade ? cssColour([red, green, blue], opacity) : "";
      // On the upper half of the scale, which is light, the text is dark.
      cell.style.color = shade < 128 ? "" : "#111";
      cell.classList.toggle("query", i === query);
      cell.classList.toggle("later", i > query);
    });
    const shading = shades
      ? ` The colours show what head ${shownHead + 1} of layer ${data.open + 1} attends to.` : "";
    const [from, last] = [positionName(data.labels, query), query === data.labels.length - 1];
    summary.textContent =
      `At ${from}, the model predicts ${last ? "the next character" : `the character after it; the text has ${positionName(data.labels, query + 1)}`}.${shading}`;
  }

  // Leave space in the window for the text above the picture and the explanation below it.
  function fitWindow() {
    const used = [summary, text, panel.root].map((node) => node.offsetHeight);
    picture.style.setProperty("--used", `${used.reduce((sum, each) => sum + each)}px`);
  }

  // Scroll a long text, and not the page, until the query and its outline are visible.
  function scrollToQuery() {
    const [frame, cell] = [text, cells[at]].map((node) => node.getBoundingClientRect());
    const above = frame.top - cell.top + OUTLINE, below = cell.bottom + OUTLINE - frame.bottom;
    if (above > 0) text.scrollTop -= Math.ceil(above);
    if (below > 0) text.scrollTop += Math.ceil(below);
  }

  function moveTo(position) {
    at = position;
    paintText();
    scrollToQuery();
    choose("query", at);
  }

  text.onclick = (event) => positionUnder(event) !== null && moveTo(positionUnder(event));
  text.onkeydown = (event) => {
    const by = textArrow(event, cells[at]);
    const to = by ? at + by : { Home: 0, End: cells.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    moveTo(clamp(to, 0, cells.length - 1));
  };

  function previewHead(head) {
    if (pinned || head === shownHead) return;
    shownHead = head;
    paintText();
  }

  function chooseHead(head, focus = false) {
    shownHead = chosenHead = head;
    paintText();
    writeStages();
    drawStream(river, picture, find("stages"), data);
    if (focus) root.querySelectorAll(".head-name")[head].focus();
    choose("head", head);
  }

  function paintRamps() {
    const stops = [0, 64, 128, 191, 255].map((level) => cssColour(data.palette[level]));
    find("legend .attention").style.background = `linear-gradient(to right, ${stops})`;
    const signed = [cssColour(BELOW_0), cssColour(BELOW_0, 0), cssColour(ABOVE_0, 0), cssColour(ABOVE_0)];
    find("legend .signed").style.background = `linear-gradient(to right, ${signed})`;
  }

  const watch = new ResizeObserver(() => {
    if (!data) return;
    fitWindow();
    drawStream(river, picture, find("stages"), data);
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest(".numbers, .cell-number, .share, .length")) pin(true);
  });
  root.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".numbers, .cell-number, .share, .length")) pinned = false;
  }, true);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") pin(false);
  });

  const view = {
    root,
    enter: () => {
      document.addEventListener("microgpt-model", receive);
      watch.observe(picture);
      receive();
    },
    leave: () => {
      clearTimeout(asking);
      document.removeEventListener("microgpt-model", receive);
      watch.disconnect();
    },
  };
  return view;
}

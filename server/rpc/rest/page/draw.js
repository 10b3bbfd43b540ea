// Sends what is drawn to /classify as a picture, and shows what comes back.
"use strict";

const drawing = document.getElementById("drawing");
const ink = drawing.getContext("2d", { willReadFrequently: false });
const says = document.getElementById("says");
const told = document.getElementById("told"); // what screen readers say, after a pause
const shownPen = document.getElementById("pen");
const chosen = document.getElementById("model");
const kPen = 20;
const kStep = 10; // of an arrow key

let isEmpty = true;
let isSending = false;
let mustSend = false; // the drawing has changed since it was sent
let drawn = 0; // how often the field was cleared: answers to an older drawing are not shown

let pause = 0;
function say(text) {
  says.textContent = text;
  clearTimeout(pause);
  pause = setTimeout(() => (told.textContent = text), 700);
}

function clearField() {
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, drawing.width, drawing.height);
  isEmpty = true;
  mustSend = false;
  ++drawn;
  say("Nothing is drawn yet.");
  show({ probabilities: [], layers: [] });
}

function line(from, to) {
  ink.strokeStyle = "#fff";
  ink.lineWidth = kPen;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
  isEmpty = false;
  send();
}

// The pen, whatever moves it.
const pen = { x: drawing.width / 2, y: drawing.height / 2, isDown: false };

function place(event) {
  const box = drawing.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * drawing.width,
    y: ((event.clientY - box.top) / box.height) * drawing.height,
  };
}

drawing.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  drawing.setPointerCapture(event.pointerId);
  Object.assign(pen, place(event), { isDown: true });
  line(pen, { x: pen.x + 0.01, y: pen.y });
});
drawing.addEventListener("pointermove", (event) => {
  if (!pen.isDown || !(event.buttons & 1)) return;
  // All places on the way, not only one for each frame.
  const places = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of places.length > 0 ? places : [event]) {
    const to = place(one);
    line(pen, to);
    Object.assign(pen, to);
  }
});
for (const end of ["pointerup", "pointercancel"]) {
  drawing.addEventListener(end, () => (pen.isDown = false));
}

const kMoves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
drawing.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const move = kMoves[event.key];
  if (move) {
    const within = (value, side) => Math.min(Math.max(value, kPen / 2), side - kPen / 2);
    const to = {
      x: within(pen.x + kStep * move[0], drawing.width),
      y: within(pen.y + kStep * move[1], drawing.height),
    };
    if (pen.isDown) line(pen, to);
    Object.assign(pen, to);
  } else if (event.key === " ") {
    pen.isDown = !pen.isDown;
    if (pen.isDown) line(pen, { x: pen.x + 0.01, y: pen.y });
  } else if (event.key === "Delete" || event.key === "Backspace") {
    clearField();
  } else {
    return;
  }
  event.preventDefault();
  showPen();
});
drawing.addEventListener("blur", () => (shownPen.hidden = true));

// Where the pen is, for who moves it by keyboard.
function showPen() {
  shownPen.hidden = false;
  shownPen.classList.toggle("down", pen.isDown);
  shownPen.style.left = `${(100 * pen.x) / drawing.width}%`;
  shownPen.style.top = `${(100 * pen.y) / drawing.height}%`;
}

document.getElementById("clear").addEventListener("click", () => {
  clearField();
  drawing.focus();
});
chosen.addEventListener("change", () => {
  if (!isEmpty) send();
});

// The token of the server, if it wants one. It is kept as long as the page is open, and no longer.
let token = "";

function post(path, body) {
  return fetch(path, { method: "POST", body, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

const access = document.getElementById("access");
access.addEventListener("submit", (event) => {
  event.preventDefault();
  token = document.getElementById("token").value.trim();
  access.hidden = true;
  listModels();
  if (!isEmpty) send();
});

// One request at a time: while one is under way, the drawing goes on, and is sent again after it.
async function send() {
  mustSend = true;
  if (isSending) return;
  isSending = true;
  while (mustSend) {
    mustSend = false;
    const asked = drawn;
    try {
      const picture = await new Promise((done) => drawing.toBlob(done, "image/png"));
      const query = new URLSearchParams({ details: "true" });
      if (chosen.value) {
        const [model, version] = JSON.parse(chosen.value);
        query.set("model", model);
        query.set("version", version);
      }
      const response = await post(`classify?${query}`, picture);
      if (response.status === 401) access.hidden = false;
      const answer = await response.json();
      if (asked !== drawn) continue;
      if (response.ok) {
        show(answer);
        const percent = (100 * answer.probability).toFixed(1);
        say(`This looks like ${answer.label}, with a probability of ${percent}%.`);
      } else {
        say(answer.error.replace(/^the body: /, ""));
      }
    } catch (error) {
      say(`The server does not answer: ${error.message}`);
      break;
    }
  }
  isSending = false;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// Draws grey levels, as many as the canvas has pixels.
function paint(canvas, grey) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  grey.forEach((level, i) => pixels.data.set([level, level, level, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
}

function show(answer) {
  const image = document.getElementById("image");
  paint(image, answer.image ? bytesOf(answer.image.bytes) : new Uint8Array(32 * 32));
  showClasses(answer);
  showLayers(answer.layers || []);
}

function showClasses(answer) {
  const rows = document.querySelector("#classes tbody");
  if (answer.probabilities.length === 0) {
    for (const row of rows.children) setRow(row, 0, false);
    return;
  }
  // A model may have a thousand classes: the ten that are most likely, in the order of the classes.
  const likely = answer.probabilities
    .map((one, index) => ({ ...one, index }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, 10)
    .sort((a, b) => a.index - b.index);
  while (rows.children.length > likely.length) rows.lastElementChild.remove();
  while (rows.children.length < likely.length) rows.append(makeRow());
  likely.forEach((one, i) => {
    const row = rows.children[i];
    row.querySelector("th").textContent = one.label;
    row.querySelector("progress").setAttribute("aria-label", `Probability of ${one.label}`);
    setRow(row, one.probability, one.index === answer.class_index);
  });
}

function makeRow() {
  const row = document.createElement("tr");
  const label = document.createElement("th");
  label.scope = "row";
  const bar = document.createElement("td");
  bar.className = "bar";
  const progress = document.createElement("progress");
  progress.max = 1;
  bar.append(progress);
  const number = document.createElement("td");
  number.className = "number";
  row.append(label, bar, number);
  return row;
}

function setRow(row, probability, isBest) {
  row.querySelector("progress").value = probability;
  row.querySelector(".number").textContent = `${(100 * probability).toFixed(1)}%`;
  row.classList.toggle("best", isBest);
}

function showLayers(layers) {
  const parent = document.getElementById("layers");
  while (parent.children.length > 2 * layers.length) parent.lastElementChild.remove();
  layers.forEach((layer, i) => {
    const [filters, height, width] = layer.shape;
    if (parent.children.length < 2 * i + 2) {
      const maps = document.createElement("div");
      maps.className = "maps";
      parent.append(document.createElement("h3"), maps);
    }
    const title = parent.children[2 * i];
    const maps = parent.children[2 * i + 1];
    title.textContent = `${i === 0 ? "First" : "Second"} convolution: ${filters} filters of ${height} by ${width}`;
    while (maps.children.length > filters) maps.lastElementChild.remove();
    const bytes = bytesOf(layer.bytes);
    for (let filter = 0; filter < filters; ++filter) {
      let canvas = maps.children[filter];
      if (!canvas) {
        canvas = document.createElement("canvas");
        canvas.className = "pixels";
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `Filter ${filter + 1}`);
        maps.append(canvas);
      }
      canvas.width = width;
      canvas.height = height;
      paint(canvas, bytes.subarray(filter * width * height, (filter + 1) * width * height));
    }
  });
}

async function listModels() {
  const add = (text, value) => chosen.append(new Option(text, value));
  chosen.replaceChildren();
  add("the default", "");
  try {
    const response = await post("v2/repository/index", '{"ready": true}');
    if (response.status === 401) access.hidden = false;
    if (!response.ok) return;
    for (const model of await response.json()) {
      add(`${model.name}, version ${model.version}`, JSON.stringify([model.name, model.version]));
    }
  } catch {
    // The default model is enough to draw with.
  }
}

clearField();
listModels();

// The page: what people do with it, and what it shows them. The work is done in worker.js.

import { Client } from "./client.js";

const LINE_COLOUR = 0xffd23f;
const PIXELS_PER_LINE = 1200; // of a photo's longer edge: larger photos get thicker outlines, which stay visible when shown small

const find = (selector) => document.querySelector(selector);
const stage = find(".stage");
const canvas = find("#picture");
const file = find("#file");
const settings = find("#settings");
const count = find("#count");
const slider = find("#slider");
const status = find(".status");

const client = new Client("worker.js", () => say("This browser cannot run the page. It needs WebAssembly with SIMD and module workers.", true));

let photo = null; // what worker.js says of the open photo, and its name
let steps = [1]; // the counts that the slider goes through
let openings = 0; // of photos; the last one has its say

// source: a file, or the promise of one.
async function open(source, name) {
  const own = ++openings;
  const isLast = () => own === openings;
  stage.ariaBusy = true;
  say(photo === null ? "Loading the network…" : "Segmenting…");
  try {
    const blob = await source;
    if (!isLast()) return;
    photo = { ...(await client.call("open", blob)), name };
    setCounts(photo.superpixels);
    settings.disabled = false;
    await draw();
    if (isLast()) say(describe(photo));
  } catch (error) {
    if (isLast()) say(error.message, true);
  } finally {
    if (isLast()) stage.ariaBusy = false;
  }
}

function openExample(name) {
  open(
    fetch(`photos/${name}.jpg`).then((response) => response.blob()),
    name,
  );
}

// Does what a control asks for, and says what went wrong.
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

function describe({ superpixels, seconds, device, width, height, fullWidth, fullHeight }) {
  const number = (value) => value.toLocaleString("en");
  const time = `${number(superpixels)} superpixels in ${seconds.toFixed(2)} s (${device}).`;
  if (width === fullWidth && height === fullHeight) return time;
  const full = `${number(fullWidth)} × ${number(fullHeight)}`;
  return `${time} The photo has ${full} pixels and was reduced to ${number(width)} × ${number(height)}; GeoJSON fits the full size.`;
}

// Each step is one region more, or 4 % more where those are several.
function setCounts(most) {
  steps = [1];
  while (steps.at(-1) < most) steps.push(Math.min(most, Math.max(steps.at(-1) + 1, Math.round(steps.at(-1) * 1.04))));
  slider.max = steps.length - 1;
  count.max = most;
  chooseCount(Number(count.value));
}

function chooseCount(wanted) {
  const chosen = Math.min(Math.max(1, Math.round(wanted) || 1), Number(count.max));
  count.value = chosen;
  slider.value = steps.findIndex((step) => step >= chosen);
  slider.setAttribute("aria-valuetext", `${chosen} regions`);
}

// Pictures are painted one at a time; of the changes that come meanwhile, the last one counts.
let drawing = null;
let changed = false;

function draw() {
  changed = true;
  drawing ??= drawUntilCurrent().finally(() => {
    drawing = null;
  });
  return drawing;
}

async function drawUntilCurrent() {
  while (changed) {
    changed = false;
    const regions = Number(count.value);
    const meanColours = find("#colours").checked;
    const line = meanColours ? 0 : Math.max(1, Math.round(Math.max(photo.width, photo.height) / PIXELS_PER_LINE));
    const { pixels, width, height } = await client.call("paint", regions, meanColours, line, LINE_COLOUR);
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    canvas.ariaLabel = `${photo.name}: ${meanColours ? "mean colours" : "outlines"} of ${regions} regions`;
  }
}

// suffix: what the file's name ends with, after the photo's name and the count.
function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${photo.name}-${count.value}${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function savePng() {
  await drawing;
  const kind = find("#colours").checked ? "colours" : "outlines";
  canvas.toBlob((blob) => save(blob, `-${kind}.png`));
}

async function saveGeoJson() {
  const text = await client.call("geoJson", Number(count.value));
  save(new Blob([text], { type: "application/geo+json" }), ".geojson");
}

function openFile(chosen) {
  if (chosen) open(chosen, chosen.name.replace(/\.[^.]*$/, "") || "photo");
}

file.addEventListener("change", () => {
  openFile(file.files[0]);
  file.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => openFile(event.clipboardData.files[0]));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  openFile(event.dataTransfer.files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dragging");
});

slider.addEventListener("input", () => {
  chooseCount(steps[slider.value]);
  attempt(draw);
});
count.addEventListener("change", () => {
  chooseCount(Number(count.value));
  attempt(draw);
});
find(".choice").addEventListener("change", () => attempt(draw));
find(".controls").addEventListener("submit", (event) => event.preventDefault());
find(".examples").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) openExample(button.dataset.photo);
});

find("#png").addEventListener("click", () => attempt(savePng));
find("#geojson").addEventListener("click", () => attempt(saveGeoJson));

openExample("coffee");

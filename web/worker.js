// Everything that takes time, away from the page: one photo at a time, from its file to pictures of its regions.

import { toGeoJson } from "./geojson.js";
import { loadNative } from "./native.js";
import { loadNetwork } from "./network.js";
import { decode } from "./photo.js";
import { largestCount, planFiner } from "./plan.js";

// Regions that the superpixels must be fine enough for. Python takes 2 superpixels for each of 600 regions; 3 are better at most counts, and
// with the small network there is time for them.
const FINEST = 900;

let photo = null;

async function load() {
  const [native, network, settings] = await Promise.all([
    loadNative("engine.wasm"),
    loadNetwork("model.onnx"),
    fetch("model.json").then((response) => response.json()),
  ]);
  const bytes = Uint8Array.from(atob(settings.cost.weights), (letter) => letter.charCodeAt(0));
  native.setCost(settings.cost.sizes, new Float32Array(bytes.buffer));
  return { native, network, settings };
}

const loaded = load();

const methods = {
  // Segments the photo in a file.
  async open(blob) {
    const { native, network, settings } = await loaded;
    const start = performance.now();
    const { pixels, ...sizes } = await decode(blob, settings.plan.leastSize);
    const { height, width } = sizes;
    const count = largestCount(height, width, FINEST);
    const plan = planFiner(height, width, count, settings.plan);
    photo = null; // until its regions are known
    native.setPhoto(height, width, pixels);
    const input = native.networkInput(plan.height, plan.width, settings.mean);
    const { scores, map } = await network.run(input, plan.height, plan.width);
    photo = { ...sizes, superpixels: native.grow(scores, map, plan.minSize, plan.maxSize, count) };
    return { ...photo, device: network.device, seconds: (performance.now() - start) / 1000 };
  },

  // A picture of `count` regions: RGBA, and its size.
  async paint(count, meanColours, line, colour) {
    const { native } = await loaded;
    cut(native, count);
    const { height, width } = photo;
    return { pixels: native.paint(height, width, meanColours, line, colour), height, width };
  },

  // The regions of that cut as text.
  async geoJson(count) {
    const { native } = await loaded;
    const regions = native.regions(cut(native, count));
    return toGeoJson(regions, native.rings(), photo.fullWidth / photo.width, photo.fullHeight / photo.height);
  },
};

// Cuts the open photo, which may be another than the page thought of when it asked. Returns the number of regions.
function cut(native, count) {
  if (photo === null) throw new Error("No photo is open. Choose one.");
  const regions = Math.min(count, photo.superpixels);
  native.cut(regions);
  return regions;
}

// Calls are answered one after the other.
let answered = Promise.resolve();
self.onmessage = ({ data }) => {
  answered = answered.then(() => answer(data));
};

async function answer({ id, method, args }) {
  try {
    const result = await methods[method](...args);
    self.postMessage({ id, result }, result.pixels ? [result.pixels.buffer] : []);
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
}

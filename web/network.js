// The network, by ONNX Runtime: on the GPU where the browser and the machine have what it takes, else on the CPU.

// What a session is made with: scales of the weights are multiplied in when it is made, and not at each run.
const OPTIONS = { graphOptimizationLevel: "all", extra: { session: { disable_quant_qdq: "1" } } };

// Returns { device, run(input, height, width) -> { scores, map } }; map is null for a model without a border map.
export async function loadNetwork(url) {
  const model = new Uint8Array(await (await fetch(url)).arrayBuffer());
  if (await hasGpu()) {
    try {
      const network = await open("./onnxruntime/ort.jspi.min.mjs", model, "webgpu", "GPU");
      await network.run(new Float32Array(3 * 64 * 64), 64, 64); // some machines fail here first
      return network;
    } catch (error) {
      console.warn("WebGPU cannot run the network; the CPU does.", error);
    }
  }
  const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 8) : 1;
  const device = threads === 1 ? "CPU, one thread" : `CPU, ${threads} threads`;
  return open("./onnxruntime/ort.wasm.min.mjs", model, "wasm", device, threads);
}

// Whether there is a real GPU, and WebAssembly that can wait for it.
async function hasGpu() {
  if (!("gpu" in navigator && "Suspending" in WebAssembly)) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter !== null && !adapter.info?.isFallbackAdapter;
}

async function open(module, model, provider, device, threads = 1) {
  const { InferenceSession, Tensor, env } = await import(module);
  env.wasm.numThreads = threads;
  env.logLevel = "error";
  const session = await InferenceSession.create(model, { ...OPTIONS, executionProviders: [provider] });
  const [scores, map] = session.outputNames;
  return {
    device,
    async run(input, height, width) {
      const tensor = new Tensor("float32", input, [1, 3, height, width]);
      const output = await session.run({ [session.inputNames[0]]: tensor });
      return { scores: output[scores], map: map === undefined ? null : output[map] };
    },
  };
}

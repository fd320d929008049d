// Calls into worker.js: `await new Client("worker.js").call("paint", ...)`.

export class Client {
  #worker;
  #waiting = new Map();
  #calls = 0;

  // onFailure: told when the worker itself cannot be started.
  constructor(url, onFailure) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onerror = onFailure;
    this.#worker.onmessage = ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    };
  }

  call(method, ...args) {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args });
    });
  }
}

// Asking the service. The key, where the service wants one, lives in this variable and nowhere else.

let key = "";

export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.faults = error.faults ?? [];
  }
}

export async function ask(path, options = {}) {
  const response = await send(path, options);
  if (response.ok) return response;
  const content = await response.json().catch(() => null);
  throw new Refused(response.status, content?.error ?? { message: `the service answered ${response.status}` });
}

async function send(path, options) {
  for (let wrong = false; ; wrong = true) {
    const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const response = await fetch(path, { ...options, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, { message: "The service does not answer. Is it running?" });
    });
    if (response.status !== 401) return response;
    await askForKey(wrong);
  }
}

let asking = null;

// One question at a time, however many requests wait for the key.
function askForKey(wrong) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key");
    const input = document.getElementById("key-value");
    document.getElementById("key-wrong").hidden = !wrong;
    input.value = "";
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.getElementById("key-form").onsubmit = (event) => {
      event.preventDefault();
      key = input.value.trim();
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}

export async function assess(runner, signal) {
  const headers = { "Content-Type": "application/json" };
  const response = await ask("/assess", { method: "POST", headers, body: JSON.stringify({ runner }), signal });
  return response.json();
}

export const json = async (path) => (await ask(path)).json();

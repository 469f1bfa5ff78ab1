// Drives the vendor's Node client, unmodified, against a service on loopback: a JSON list of steps comes in, what each
// came to goes out. The client has its host fixed; an adapter of the library below it leads its requests here.
"use strict";
const plivo = require("plivo");
const axios = require(require.resolve("axios", { paths: [require.resolve("plivo")] }));

const VENDOR = "https://api.plivo.com";

function lead(origin) {
  const send = axios.getAdapter("http");
  axios.defaults.adapter = (config) => {
    if (!config.url.startsWith(VENDOR)) throw new Error("a request to somebody else");
    return send(Object.assign(config, { url: origin + config.url.slice(VENDOR.length) }));
  };
}

// {"$from": [1, "sessionUuid"]} stands for that attribute of what the second step came to.
function fill(value, outcomes) {
  if (value === null || typeof value !== "object") return value;
  if (value.$from) return outcomes[value.$from[0]].value[value.$from[1]];
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, fill(it, outcomes)]));
}

function told(error) {
  if (typeof error === "string") return { text: error };
  const { status, statusText, apiID, moreInfo, message } = error;
  return { error: { kind: error.constructor.name, isError: error instanceof Error, status, statusText, apiID, moreInfo, message } };
}

async function run(step, outcomes) {
  try {
    const client = new plivo.Client(step.authId, step.authToken, step.options);
    const args = step.args.map((it) => fill(it, outcomes));
    const value = await client[step.resource][step.method](...args);
    return { value: Array.isArray(value) ? { meta: value.meta, objects: [...value] } : value };
  } catch (error) {
    return told(error);
  }
}

async function main(text) {
  const { origin, steps } = JSON.parse(text);
  lead(origin);
  const outcomes = [];
  for (const step of steps) outcomes.push(await run(step, outcomes));
  process.stdout.write(JSON.stringify(outcomes));
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => main(text));

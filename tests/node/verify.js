// Checks signatures with the vendors' own clients: a JSON list of cases comes in, a JSON list of true and false goes out.
"use strict";
const { validateSignature, validateV3Signature } = require("plivo");
const { Webhook } = require("standardwebhooks");

function check(it) {
  switch (it.scheme) {
    case "v2":
      return validateSignature(it.url, it.nonce, it.signature, it.token);
    case "v3":
      return validateV3Signature(it.method, it.url, it.nonce, it.token, it.signature, it.params);
    case "standard":
      new Webhook(it.secret).verify(it.body, it.headers); // throws when it is not right
      return true;
    default:
      throw new Error("no such scheme");
  }
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const results = JSON.parse(text).map((it) => {
    try {
      return check(it);
    } catch (error) {
      return String(error);
    }
  });
  process.stdout.write(JSON.stringify(results));
});

// Shows /openapi.json and sends requests as the reader. Everything is set as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function authorization() {
  const token = byId("token").value.trim();
  return token ? { Authorization: `token ${token}` } : {};
}

// A body to begin with: one value of the right kind for each field that must be there, else for all.
function example(schema, document_) {
  if (schema.$ref) return example(document_.components.schemas[schema.$ref.split("/").pop()], document_);
  if (schema.anyOf) return example(schema.anyOf[0], document_);
  if (schema.enum) return schema.enum[0];
  const kind = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (kind === "object") {
    const made = {};
    for (const name of schema.required || Object.keys(schema.properties || {})) {
      made[name] = example(schema.properties[name], document_);
    }
    return made;
  }
  return { array: [], integer: 1, number: 1, boolean: false }[kind] ?? "";
}

function show(path, method, operation, document_) {
  const inputs = new Map();
  const fields = element("table");
  for (const parameter of operation.parameters || []) {
    const input = element("input", { placeholder: parameter.required ? "required" : "" });
    inputs.set(parameter, input);
    fields.append(element("tr", {}, element("td", {}, parameter.name), element("td", {}, input)));
  }
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema ? element("textarea", { spellcheck: "false", "aria-label": "body" }) : null;
  if (body) body.value = JSON.stringify(example(schema, document_), null, 2);
  const answers = element("table");
  for (const [status, answer] of Object.entries(operation.responses)) {
    answers.append(element("tr", {}, element("td", {}, status), element("td", {}, answer.description)));
  }
  const send = element("button", { type: "button" }, "Send");
  const result = element("pre", { hidden: "" });
  send.addEventListener("click", async () => {
    let url = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(parameter.name, input.value);
    }
    if (query.size > 0) url += `?${query}`;
    const headers = authorization();
    const options = { method: method.toUpperCase(), headers };
    if (body && body.value.trim() !== "") {
      headers["Content-Type"] = "application/json";
      options.body = body.value;
    }
    result.hidden = false;
    result.textContent = "…";
    try {
      const response = await fetch(url, options);
      let text = await response.text();
      try {
        text = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // Not JSON: shown as it came.
      }
      result.textContent = `${response.status} ${response.statusText}\n\n${text}`;
    } catch (error) {
      result.textContent = String(error);
    }
  });
  const parts = [element("summary", {}, element("b", {}, method.toUpperCase()), element("code", {}, path),
    ` — ${operation.summary || operation.operationId}`), fields];
  if (body) parts.push(body);
  parts.push(element("p", {}, send), result, answers);
  return element("details", { class: method }, ...parts);
}

async function load() {
  const document_ = await (await fetch("/openapi.json")).json();
  const groups = new Map();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags?.[0] || "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(show(path, method, operation, document_));
    }
  }
  byId("operations").replaceChildren(
    ...[...groups].map(([tag, shown]) => element("section", {}, element("h2", {}, tag), ...shown)));
}

byId("credentials").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ username: byId("username").value, password: byId("password").value });
  const headers = { "Content-Type": "application/json" };
  const response = await fetch("/v2/auth/login/", { method: "POST", headers, body });
  const answer = await response.json();
  byId("who").textContent = response.ok ? "Logged in." : JSON.stringify(answer);
  if (response.ok) byId("token").value = answer.token;
  byId("password").value = "";
});

load().catch((error) => {
  byId("operations").textContent = `The document cannot be read: ${error}`;
});

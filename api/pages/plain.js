"use strict";

const at = (id) => document.getElementById(id);

const TYPES = `query SchemaTypes {
  __schema {
    queryType { fields { name description args { name description } } }
    types { name kind description }
  }
}`;

async function send(query, variables) {
  const token = at("token").value.trim();
  sessionStorage.setItem("skvoz.token", token);
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json",
      Authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  return JSON.stringify(await answer.json(), null, 2);
}

async function show(query, variablesText) {
  at("answer").textContent = "…";
  try {
    at("answer").textContent = await send(query, JSON.parse(variablesText || "{}"));
  } catch (error) {
    at("answer").textContent = String(error);
  }
}

const run = () => show(at("query").value, at("variables").value);
at("token").value = sessionStorage.getItem("skvoz.token") ?? "";
at("run").addEventListener("click", run);
at("schema").addEventListener("click", () => show(TYPES, ""));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});

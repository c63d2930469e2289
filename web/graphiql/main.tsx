// The explorer: GraphiQL behind a field for the token, which stays in this tab.
import { type FormEvent, useState } from "react";
import { createRoot } from "react-dom/client";
import type { Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import "./explorer.css";

const KEPT = "skvoz.token";

const FIRST = `# Press Ctrl+Enter to run. Ctrl+Space completes; the book on the left is the schema's documentation.
query FirstClients {
  workspace { title }
  clients(first: 5) {
    totalCount
    nodes {
      id
      name
      calls(first: 3) { nodes { startedAt answered campaign { name } } }
    }
  }
}
`;

Object.assign(globalThis, {
  MonacoEnvironment: {
    getWorker(_id: string, label: string): Worker {
      const name = label === "json" || label === "graphql" ? label : "editor";
      return new Worker(`/graphiql/${name}.worker.js`, { type: "module" });
    },
  },
});

function fetcherWith(token: string, refused: () => void): Fetcher {
  return async (request) => {
    const answer = await fetch("/graphql", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json",
        Authorization: `Bearer ${token}`,
      },
      body: JSON.stringify(request),
    });
    if (answer.status === 401) refused();
    return answer.json();
  };
}

function Explorer() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEPT) ?? "");
  const [problem, setProblem] = useState("");

  const leave = (reason: string) => {
    sessionStorage.removeItem(KEPT);
    setToken("");
    setProblem(reason);
  };
  const enter = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = String(new FormData(event.currentTarget).get("token") ?? "").trim();
    sessionStorage.setItem(KEPT, given);
    setProblem("");
    setToken(given);
  };

  if (!token) {
    return (
      <form className="enter" onSubmit={enter}>
        <h1>Skvoz: GraphQL</h1>
        <label htmlFor="token">Token</label>
        <input id="token" name="token" type="password" autoComplete="off" placeholder="skv_live_…" required autoFocus />
        <button type="submit">Open the explorer</button>
        <p role="alert">{problem}</p>
        <p>
          <code>skvoz token create</code> makes a token; the demo prints one. It stays in this tab.
        </p>
      </form>
    );
  }
  return (
    <GraphiQL
      fetcher={fetcherWith(token, () => leave("This token is not known: it was mistyped, revoked or has expired."))}
      defaultQuery={FIRST}
      defaultEditorToolsVisibility="variables"
    >
      <GraphiQL.Logo>
        <button type="button" className="leave" onClick={() => leave("")}>
          Change token
        </button>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

const root = document.getElementById("explorer");
if (root) createRoot(root).render(<Explorer />);

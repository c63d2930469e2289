// A small client as a frontend developer writes it: types come from the schema, nothing is cast.
import { ClientCardDocument, LiveCallsDocument, type TypedDocumentString } from "./generated/graphql.js";

interface Failure {
  readonly message: string;
  readonly extensions?: { readonly code?: string };
}

export class Api {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  async ask<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    ...[variables]: Variables extends Record<string, never> ? [] : [Variables]
  ): Promise<Result> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json",
        authorization: `Bearer ${this.token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    const answer: { data?: Result; errors?: readonly Failure[] } = await response.json();
    if (answer.data === undefined || answer.errors !== undefined) {
      throw new Error(answer.errors?.map((each) => each.message).join("; ") ?? response.statusText);
    }
    return answer.data;
  }
}

const { API_URL: url, TOKEN: token } = process.env;
if (url === undefined || token === undefined) throw new Error("Set API_URL and TOKEN.");
const api = new Api(url, token);

const { calls } = await api.ask(LiveCallsDocument, { first: 3 });
const first = calls?.nodes.find((call) => call.client !== null);
if (first?.client == null) throw new Error("No call has a client.");
const { client } = await api.ask(ClientCardDocument, { id: first.client.id });
const phone: string | null | undefined = client?.phone;
console.log(JSON.stringify({ calls: calls?.nodes.length, name: client?.name, phone }));

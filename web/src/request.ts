/** Sends GraphQL requests to the server that this page came from. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface GraphQLAnswer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

interface ExactJson {
  rawJSON?: (text: string) => Json;
  isRawJSON?: (value: unknown) => boolean;
  parse: (text: string, revive: (name: string, value: Json, context?: { source?: string }) => Json) => Json;
}

/** Reads JSON without rounding: a number that JavaScript would write in another way stays the text that it is. */
export function parseJson(text: string): Json {
  const exact = JSON as unknown as ExactJson;
  return exact.parse(text, (_name, value, context) =>
    typeof value === "number" && exact.rawJSON && context?.source && context.source !== String(value)
      ? exact.rawJSON(context.source)
      : value,
  );
}

/** Whether a value is a number that was kept as its text. */
export function isRaw(value: unknown): boolean {
  return (JSON as unknown as ExactJson).isRawJSON?.(value) ?? false;
}

/** The text of a value: a number that was kept as its text (`1.0`) is an object without one. */
export function textOf(value: Json): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The page lies beside the endpoint, whatever a proxy has put in front of both. */
export const ENDPOINT = new URL("graphql", document.baseURI).href;

/** A request that came to nothing: the message is a sentence for the person at the page. */
export class RequestFailed extends Error {}

/** Sends one request and gives back its answer, errors and all; it throws where there is none. */
export async function post<Data>(
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
  operationName?: string | null,
): Promise<GraphQLAnswer<Data>> {
  let response: Response;
  try {
    response = await fetch(ENDPOINT, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
      body: JSON.stringify({ query, variables, ...(operationName ? { operationName } : {}) }),
    });
  } catch {
    throw new RequestFailed("The server did not answer. Is it still running?");
  }
  try {
    return parseJson(await response.text()) as GraphQLAnswer<Data>;
  } catch {
    throw new RequestFailed(`The server answered ${response.status} without JSON.`);
  }
}

/** The data of a request that has to succeed. */
export async function ask<Data>(query: string, variables: object = {}): Promise<Data> {
  const answer = await post<Data>(query, variables);
  if (answer.errors?.length || !answer.data) {
    throw new RequestFailed(answer.errors?.map((error) => error.message).join(" ") || "The server answered nothing.");
  }
  return answer.data;
}

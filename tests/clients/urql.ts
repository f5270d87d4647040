import { Client, CombinedError, fetchExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import type { Data } from "@urql/exchange-graphcache";

import { OrderFormDocument, SaveDocument, SaveOrderDocument } from "./generated/graphql.ts";
import type { OrderFormQuery, PartInput } from "./generated/graphql.ts";
import schema from "./generated/schema.ts";

const noNodes = ["PartResult", "Resource", "ResourceRelation"];

function keyOf({ __typename, path }: Data): string | null {
  return noNodes.includes(__typename) ? null : ((path as string | undefined) ?? null);
}

export function makeClient(url: string): Client {
  return new Client({
    url,
    preferGetMethod: false,
    exchanges: [
      cacheExchange({
        keys: new Proxy({}, { get: () => keyOf }), // one rule for every type
        schema,
      }),
      fetchExchange,
    ],
  });
}

export function watchOrder(client: Client, id: number, show: (form: OrderFormQuery) => void) {
  return client.query(OrderFormDocument, { id }).subscribe(({ data }) => {
    if (data) show(data);
  });
}

export async function save(client: Client, parts: PartInput[], key: string = crypto.randomUUID()) {
  const fetchOptions = { headers: { "Idempotency-Key": key } };
  const { data, error } = await client.mutation(SaveDocument, { parts }, { fetchOptions });
  if (!data?.batch) throw error; // a request error: nothing ran
  return data.batch;
}

export async function saveOrder(client: Client, id: number, parts: PartInput[]) {
  const { data, error } = await client.mutation(SaveOrderDocument, { id, parts });
  if (!data?.batch) throw error;
  return data.batch;
}

export function codeOf(error: unknown) {
  return error instanceof CombinedError ? error.graphQLErrors[0]?.extensions.code : undefined;
}

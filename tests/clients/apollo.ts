import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";

import { OrderFormDocument, SaveDocument, SaveOrderDocument } from "./generated/graphql.ts";
import type { OrderFormQuery, PartInput } from "./generated/graphql.ts";

export function makeClient(uri: string): ApolloClient {
  return new ApolloClient({
    link: new HttpLink({ uri }),
    cache: new InMemoryCache({
      dataIdFromObject: ({ path }) => path as string | undefined,
      typePolicies: {
        PartResult: { keyFields: false },
        Resource: { keyFields: false },
        ResourceRelation: { keyFields: false },
      },
    }),
  });
}

export function watchOrder(client: ApolloClient, id: number, show: (form: OrderFormQuery) => void) {
  const form = client.watchQuery({ query: OrderFormDocument, variables: { id }, errorPolicy: "all" });
  return form.subscribe(({ data, dataState }) => {
    if (dataState === "complete") show(data);
  });
}

export async function save(client: ApolloClient, parts: PartInput[], key: string = crypto.randomUUID()) {
  const { data, error } = await client.mutate({
    mutation: SaveDocument,
    variables: { parts },
    context: { headers: { "Idempotency-Key": key } },
    errorPolicy: "all",
  });
  if (!data?.batch) throw error; // a request error: nothing ran
  return data.batch;
}

export async function saveOrder(client: ApolloClient, id: number, parts: PartInput[]) {
  const { data, error } = await client.mutate({
    mutation: SaveOrderDocument,
    variables: { id, parts },
    errorPolicy: "all",
  });
  if (!data?.batch) throw error;
  return data.batch;
}

export function codeOf(error: unknown) {
  return CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.code : undefined;
}

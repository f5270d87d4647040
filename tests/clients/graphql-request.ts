import { ClientError, GraphQLClient } from "graphql-request";

import { OrderFormDocument, SaveDocument, SaveOrderDocument } from "./generated/graphql.ts";
import type { PartInput } from "./generated/graphql.ts";

export function makeClient(url: string): GraphQLClient {
  return new GraphQLClient(url);
}

export function readOrder(client: GraphQLClient, id: number) {
  return client.request(OrderFormDocument, { id });
}

export async function save(client: GraphQLClient, parts: PartInput[], key: string = crypto.randomUUID()) {
  const { batch } = await client.request(SaveDocument, { parts }, { "Idempotency-Key": key }).catch(dataOf);
  return batch;
}

export async function saveOrder(client: GraphQLClient, id: number, parts: PartInput[]) {
  const { batch } = await client.request(SaveOrderDocument, { id, parts }).catch(dataOf);
  return batch;
}

// A batch that has run has a result, also beside an error of some field that could not be read.
function dataOf(error: unknown) {
  if (error instanceof ClientError && (error.response.data as any)?.batch) return error.response.data as any;
  throw error;
}

export function codeOf(error: unknown) {
  return error instanceof ClientError ? error.response.errors?.[0]?.extensions.code : undefined;
}

import {
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getRequest,
  Network,
  RecordSource,
  Store,
} from "relay-runtime";
import type { GraphQLResponse } from "relay-runtime";

import orderForm from "./generated/orderFormQuery.graphql.ts";
import type { orderFormQuery } from "./generated/orderFormQuery.graphql.ts";
import saveAll from "./generated/orderSaveAllMutation.graphql.ts";
import type { orderSaveAllMutation } from "./generated/orderSaveAllMutation.graphql.ts";
import saveParts from "./generated/orderSaveMutation.graphql.ts";
import type { orderSaveMutation, PartInput } from "./generated/orderSaveMutation.graphql.ts";

const noNodes = ["PartResult", "Resource", "ResourceRelation"];

export function makeClient(url: string): Environment {
  return new Environment({
    network: Network.create(async (request, variables, { metadata }) => {
      const response = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json", ...metadata },
        body: JSON.stringify({ query: request.text, variables }),
      });
      return (await response.json()) as GraphQLResponse;
    }),
    store: new Store(new RecordSource()),
    getDataID: (value, type) => (noNodes.includes(type) ? null : value.path),
  });
}

export function watchOrder(client: Environment, id: number, show: (form: orderFormQuery["response"]) => void) {
  const operation = createOperationDescriptor(getRequest(orderForm), { id });
  client.retain(operation); // until its dispose(), the store keeps what the query shows
  client.subscribe(client.lookup(operation.fragment), ({ data }) => {
    show(data as orderFormQuery["response"]);
  });
  fetchQuery<orderFormQuery>(client, orderForm, { id }).subscribe({});
}

function noBatch(errors: unknown): Error {
  return new Error("A request error: nothing ran.", { cause: errors });
}

export function save(client: Environment, parts: PartInput[], key: string = crypto.randomUUID()) {
  return new Promise<NonNullable<orderSaveMutation["response"]["batch"]>>((resolve, reject) => {
    commitMutation<orderSaveMutation>(client, {
      mutation: saveParts,
      variables: { parts },
      cacheConfig: { metadata: { "Idempotency-Key": key } },
      onCompleted: ({ batch }, errors) => (batch ? resolve(batch) : reject(noBatch(errors))),
      onError: reject,
    });
  });
}

export function saveOrder(client: Environment, id: number, parts: PartInput[]) {
  return new Promise<NonNullable<orderSaveAllMutation["response"]["batch"]>>((resolve, reject) => {
    commitMutation<orderSaveAllMutation>(client, {
      mutation: saveAll,
      variables: { id, parts },
      updater: (store) => {
        const query = store.getRootField("batch")?.getLinkedRecord("query");
        if (query) store.getRoot().copyFieldsFrom(query); // what a batch's `query` has read, all queries show
      },
      onCompleted: ({ batch }, errors) => (batch ? resolve(batch) : reject(noBatch(errors))),
      onError: reject,
    });
  });
}

// Of a request error: from the answer's `errors`, whether it came with `data` or without.
export function codeOf(error: any): unknown {
  return (error.source?.errors ?? error.cause)?.[0]?.extensions?.code;
}

// Asks as Apollo Client's link for persisted queries does: `node persisted.mjs URL`. Prints what was sent, and the data.

import { createHash } from 'node:crypto';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

async function ask(document, useGETForHashedQueries, run) {
  const sent = [];
  const watched = async (url, options) => {
    const answer = await fetch(url, options);
    sent.push([options.method, answer.status, /\bquery\b/.test(options.body ? Object.keys(JSON.parse(options.body)) : url)]);
    return answer;
  };
  const http = new HttpLink({ uri: process.argv[2], fetch: watched });
  const client = new ApolloClient({
    link: new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(http),
    cache: new InMemoryCache(),
  });
  const data = [];
  for (let turn = 0; turn < 2; turn += 1) data.push((await run(client, document)).data);
  client.stop();
  return { sent, data };
}

const query = (client, document) => client.query({ query: document, fetchPolicy: 'network-only' });
const mutate = (client, document) => client.mutate({ mutation: document });

console.log(
  JSON.stringify({
    post: await ask(gql`{ artist(artistId: 1) { path name } }`, false, query),
    get: await ask(gql`{ artist(artistId: 2) { path name } }`, true, query),
    mutation: await ask(
      gql`mutation { batch(parts: [{ id: "a", operation: UPDATE, path: "/artists/3", payload: { name: "Drei" } }]) { status } }`,
      true,
      mutate,
    ),
  }),
);

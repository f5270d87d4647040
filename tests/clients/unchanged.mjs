// Reads every item of a collection and sends back what it has read, as a client in JavaScript does: by `payload` and by `item`.
// Usage: node unchanged.mjs URL COLLECTION FIELD OPERATION; prints the statuses of the two batches.
const [url, collection, field, operation] = process.argv.slice(2);

async function ask(query, variables = {}) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return JSON.parse(await response.text());
}

const { data: catalog } = await ask("{ resources { collection attributes { name } } }");
const names = catalog.resources.find((each) => each.collection === collection).attributes.map(({ name }) => name);
const { data } = await ask(`{ found: ${collection}(first: 1000) { nodes { path etag ${names.join(" ")} } } }`);
const mutation = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { status parts { errors { message } } } }";
for (const member of ["payload", "item"]) {
  const parts = data.found.nodes.map(({ path, etag, ...values }, index) => ({
    id: `p${index}`,
    path: operation === "UPSERT" ? `/${collection}` : path,
    operation,
    ifMatch: [etag],
    [member]: member === "item" ? { [field]: values } : values,
  }));
  if (operation === "UPSERT") {
    parts.forEach((part) => delete part.ifMatch);
  }
  const answer = await ask(mutation, { parts });
  console.log(answer.data?.batch?.status ?? "", JSON.stringify(answer.errors ?? answer.data.batch.parts.flatMap(({ errors }) => errors)));
}

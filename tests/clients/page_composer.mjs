// What a person does in the console. Each scenario gives back what there was to see.
import { add, fill, ground, marked, open, part, request, run, send, violations } from "./page_steps.mjs";

// An artist, and an album below it, with the keyboard alone.
export async function commit(page, url) {
  await open(page, url);
  const path = page.getByRole("combobox", { name: "Path" });
  await path.focus();
  await page.keyboard.type("/art");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const chosen = await path.inputValue();
  await fill(part(page, 1), { name: "Neu" });
  await page.getByRole("button", { name: "Add a part" }).press("Enter");
  await page.keyboard.type("/artists/$");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const below = await part(page, 2).getByRole("combobox", { name: "Path" }).inputValue();
  await fill(part(page, 2), { title: "Vierte" });
  await page.keyboard.press("Control+Enter");
  const heading = page.getByRole("heading", { name: /^Committed/ });
  await heading.waitFor();
  const isFocused = await heading.evaluate((element) => element === document.activeElement);
  const results = await page.locator(".results > li").allInnerTexts();
  return { chosen, below, said: await heading.innerText(), isFocused, results, ...(await request(page)) };
}

export async function reject(page, url) {
  await open(page, url);
  const customer = await add(page, 1, "/customers");
  await fill(customer, { firstName: "Ada", email: "zoe@example.org" });
  const track = await add(page, 2, "/tracks", "CREATE");
  await fill(track, { name: "x".repeat(201), milliseconds: "many", unitPrice: "1.999", mediaTypeId: "9" });
  const album = await add(page, 3, "/albums/1", "UPDATE");
  await fill(album, { title: "Andere" });
  await album.getByText("Preconditions").click();
  await album.getByLabel("ifMatch", { exact: true }).selectOption("etags");
  await album.getByLabel("ifMatch: etags").fill("stale");
  await add(page, 4, "/nothing");
  const said = await run(page);
  const marks = await marked(page);

  const links = await page.locator(".errors a").allInnerTexts();
  await page.locator(".errors li").filter({ hasText: "milliseconds" }).getByRole("link").click();
  const focused = await page.evaluate(() => document.activeElement.labels[0].textContent);
  await fill(track, { milliseconds: "1000" });
  const afterEdit = (await marked(page)).map(({ field }) => field);

  await album.getByRole("button", { name: "Use the current etag" }).click();
  const etag = await album.getByLabel("ifMatch: etags").inputValue();
  return { said, marks, links, focused, afterEdit, etag, accessible: await violations(page) };
}

export async function dryRun(page, url) {
  await open(page, url);
  await fill(await add(page, 1, "/artists"), { name: "Probe" });
  await add(page, 2, "/playlists/1/playlistTracks/1,1", "DELETE");
  await page.getByLabel("Dry run").check();
  return { said: await run(page), results: await page.locator(".results > li").allInnerTexts() };
}

// Absent, null, an empty text, a value and the key of another part's item are five different things.
export async function entries(page, url) {
  await open(page, url);
  await fill(await add(page, 1, "/artists"), { name: "Neu" });
  const album = await add(page, 2, "/albums/2", "UPDATE");
  await send(album, "artistId", { label: "item of a" });
  await album.getByText("Preconditions").click();
  await album.getByLabel("ifMatch", { exact: true }).selectOption("any");
  const track = await add(page, 3, "/tracks/1", "UPDATE");
  await send(track, "composer", "null");
  await send(track, "name", "value");
  await fill(track, { unitPrice: "2.50", bytes: "7" });
  const list = await add(page, 4, "/playlists/9", "CREATE");
  await list.getByText("Preconditions").click();
  await list.getByLabel("ifNoneMatch", { exact: true }).selectOption("any");
  const { variables, curl } = await request(page);
  return { variables, curl, said: await run(page) };
}

// Ids and references follow when parts are renamed, moved and removed; the draft outlives a visit to GraphiQL.
export async function arrange(page, url) {
  await open(page, url);
  await fill(await add(page, 1, "/artists"), { name: "Neu" });
  await fill(await add(page, 2, "/artists/$a/albums", "CREATE"), { title: "Vierte" });
  await add(page, 3, "/albums/1", "UPDATE").then((album) => send(album, "artistId", { label: "item of a" }));
  await part(page, 1).getByLabel("Part id").fill("artist");
  const renamed = (await request(page)).variables.parts;
  await part(page, 3).getByRole("button", { name: "Move part c up" }).press("Enter");
  const moved = (await request(page)).variables.parts.map(({ id }) => id);
  const focused = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.getByRole("link", { name: "GraphiQL" }).click();
  await page.getByRole("link", { name: "Compose a batch" }).click();
  await part(page, 3).waitFor();
  await part(page, 1).getByRole("button", { name: "Remove part artist" }).click();
  const removed = (await request(page)).variables.parts;
  return { renamed, moved, focused, removed };
}

export async function load(page, url) {
  await open(page, url);
  const track = await add(page, 1, "/tracks/3", "REPLACE");
  await track.getByText("Preconditions").click();
  await track.getByRole("button", { name: "Load the current item" }).click();
  await track.getByText("ifMatch has its etag").waitFor();
  await fill(track, { name: "Mitte" });
  const { variables } = await request(page);
  return { variables, said: await run(page) };
}

// What is suggested for each of some beginnings.
export async function suggest(page, url) {
  await open(page, url);
  const path = page.getByRole("combobox", { name: "Path" });
  const found = {};
  for (const text of ["/", "/seats", "/seats/", "/seats/A%2FB,1", "/guests/", "/numbers/"]) {
    await path.fill(text);
    const options = page.locator("li[role=option] .code");
    const hasNone = text === "/guests/" || text === "/numbers/";
    await (hasNone ? page.waitForTimeout(600) : options.first().waitFor()); // items are asked for when nobody types
    found[text] = await options.allInnerTexts();
  }
  await path.fill("/numbers");
  const operations = await page.getByLabel("Operation").locator("option").allInnerTexts();
  await path.fill("/guests");
  const fields = await page.locator(".field-name label").allInnerTexts();
  return { found, operations, fields };
}

export async function reference(page, url) {
  await open(page, url);
  await fill(await add(page, 1, "/seats"), { row: "C", number: "3" });
  const guest = await add(page, 2, "/guests");
  await fill(guest, { name: "Ada" });
  await send(guest, "seatByRowAndNumber", { label: "item of a" });
  return { ...(await request(page)), said: await run(page) };
}

export async function looks(page, url) {
  const seen = [];
  await open(page, url);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      await page.evaluate(() => sessionStorage.clear());
      await open(page, url);
      const album = await add(page, 1, "/albums/1", "UPDATE");
      await fill(album, { artistId: "77" });
      await album.getByText("Preconditions").click();
      await add(page, 2, "/employees");
      await request(page);
      await run(page);
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      await part(page, 2).getByRole("combobox", { name: "Path" }).press("ArrowDown");
      seen.push({ ground: await ground(page), width: needed, accessible: await violations(page) });
    }
  }
  await page.getByLabel("Colours").selectOption("light");
  const chosen = await ground(page);
  await page.goto(`${url}/graphql`);
  await page.locator(".graphiql-container").waitFor();
  return { seen, chosen, graphiql: await page.evaluate(() => document.body.className) };
}

// What cannot be sent, or comes to nothing as a whole.
export async function nothingRan(page, url) {
  await open(page, url);
  const note = await add(page, 1, "/notes");
  await fill(note, { doc: '{"a":' });
  const outcome = page.locator(".outcome");
  await page.getByRole("button", { name: "Run the batch" }).click();
  await outcome.waitFor();
  const unreadable = { said: await outcome.innerText(), marks: await marked(page) };
  await fill(note, { doc: '{"a": [1.50, 12345678901234567890]}' });
  await note.getByLabel("Part id").fill("");
  await page.getByRole("button", { name: "Run the batch" }).click();
  await outcome.getByText("The id").waitFor();
  const refused = await outcome.innerText();
  await note.getByLabel("Part id").fill("n");
  return { unreadable, refused, said: await run(page), result: await page.locator(".results > li").allInnerTexts() };
}
